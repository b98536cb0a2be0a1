package sparkmodels.server;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.BufferUtil;
import sparkmodels.packages.Json;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;

/**
 * A model behind HTTP, with the routes, errors and limits of the Python server.
 *
 * <pre>{@code
 * ScoringServer server = new ScoringServer(scorer, model, ServerOptions.DEFAULT.withPort(0));
 * server.start();
 * server.port();        // the one that was free
 * server.stop();        // may be started again
 * }</pre>
 */
public final class ScoringServer {
    private static final long IDLE_MILLIS = 60_000;

    private final Scorer scorer;
    private final ModelPackage model;
    private final ServerOptions options;
    private Running running;

    /** A server of a scorer, which stays the caller's to close. */
    public ScoringServer(Scorer scorer, ModelPackage model, ServerOptions options) {
        this.scorer = scorer;
        this.model = model;
        this.options = options;
    }

    /**
     * Binds the address and answers from then on.
     *
     * @throws IllegalStateException it runs already
     * @throws ServerStateException the address can't be bound
     */
    public synchronized void start() {
        if (running != null) {
            throw new IllegalStateException("the server runs already, on port " + running.connector.getLocalPort());
        }
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                options.threads(), options.threads(), 1, TimeUnit.MINUTES, new ArrayBlockingQueue<>(options.queue()));
        ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor();
        Server server = new Server();
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setSendServerVersion(false);
        ServerConnector connector = new ServerConnector(server, new HttpConnectionFactory(configuration));
        connector.setHost(options.host());
        connector.setPort(options.port());
        connector.setIdleTimeout(IDLE_MILLIS);
        server.addConnector(connector);
        server.setHandler(new Routes(scorer, version(), options, pool, clock));
        server.setErrorHandler((request, response, callback) -> {
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, "application/json");
            String body = new HttpError(
                            response.getStatus(), "REQUEST_REFUSED", "The request is not HTTP that is answered here.")
                    .body();
            response.write(true, BufferUtil.toBuffer(body), callback);
            return true;
        });
        Running started = new Running(server, connector, pool, clock);
        try {
            server.start();
        } catch (Exception error) {
            started.end();
            throw new ServerStateException("can't bind %s:%d".formatted(options.host(), options.port()), error);
        }
        running = started;
    }

    /** The port that it listens on; empty when it is stopped. */
    public synchronized OptionalInt port() {
        return running == null ? OptionalInt.empty() : OptionalInt.of(running.connector.getLocalPort());
    }

    /** Whether it answers. */
    public synchronized boolean isActive() {
        return running != null;
    }

    /** Waits until it is stopped. */
    public void join() throws InterruptedException {
        Running current;
        synchronized (this) {
            current = running;
        }
        if (current != null) {
            current.server.join();
        }
    }

    /** Frees the address; nothing happens where it is stopped already. */
    public synchronized void stop() {
        if (running != null) {
            Running ended = running;
            running = null;
            ended.end();
        }
    }

    private String version() {
        Map<String, Object> facts = new LinkedHashMap<>();
        String version = ScoringServer.class.getPackage().getImplementationVersion();
        facts.put("spark_models", version == null ? "development" : version);
        facts.put("java", Runtime.version().toString());
        facts.put("run_id", model.runId().orElse(null));
        facts.put("flavors", new ArrayList<>(model.flavors().keySet()));
        return Json.write(facts);
    }

    private record Running(
            Server server, ServerConnector connector, ThreadPoolExecutor pool, ScheduledExecutorService clock) {
        void end() {
            try {
                server.stop();
            } catch (Exception error) {
                throw new ServerStateException("can't stop the server", error);
            } finally {
                pool.shutdownNow();
                clock.shutdownNow();
            }
        }
    }
}
