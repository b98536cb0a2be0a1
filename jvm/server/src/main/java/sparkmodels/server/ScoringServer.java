package sparkmodels.server;

import java.util.OptionalInt;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.HttpConfiguration;
import org.eclipse.jetty.server.HttpConnectionFactory;
import org.eclipse.jetty.server.SecureRequestCustomizer;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import org.eclipse.jetty.util.ssl.SslContextFactory;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;

/**
 * A model behind HTTP, with the routes, errors and limits of the Python server.
 *
 * <pre>{@code
 * ScoringServer server = new ScoringServer(scorer, model, ServerOptions.DEFAULT.withPort(0));
 * server.start();
 * server.port();        // the one that was free
 * server.stop();        // answers what was asked; it may be started again
 * }</pre>
 */
public final class ScoringServer {
    private static final int MOST_HEAD = 128 << 10;
    private static final long PAUSE_MILLIS = 20;

    private final Scorer scorer;
    private final ModelCard card;
    private final ServerOptions options;
    private Running running;

    /** A server of a scorer, which stays the caller's to close. */
    public ScoringServer(Scorer scorer, ModelPackage model, ServerOptions options) {
        this.scorer = scorer;
        this.card = new ModelCard(model);
        this.options = options;
    }

    /**
     * Binds the address and answers from then on.
     *
     * @throws IllegalStateException it runs already
     * @throws ServerStateException the address can't be bound, or the certificate can't be used
     */
    public synchronized void start() {
        if (running != null) {
            throw new IllegalStateException("the server runs already, on port " + running.connector.getLocalPort());
        }
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                options.limits().threads(), options.limits().threads(), 1, TimeUnit.MINUTES, waiting());
        ScheduledThreadPoolExecutor clock = new ScheduledThreadPoolExecutor(1);
        // Else the timers of all requests that were answered in time would be held until they are due.
        clock.setRemoveOnCancelPolicy(true);
        Routes routes = new Routes(scorer, card, options, pool, clock);
        Server server = new Server();
        Running started = new Running(server, connector(server), routes, pool, clock, options);
        Heads heads = new Heads(routes, options.limits().readTimeout());
        started.connector.addBean(heads);
        server.addConnector(started.connector);
        server.setHandler(heads);
        long step = Math.max(1, options.limits().readTimeout().toMillis() / 4);
        clock.scheduleWithFixedDelay(heads::endSlow, step, step, TimeUnit.MILLISECONDS);
        server.setErrorHandler((request, response, callback) -> {
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, Reply.JSON);
            HttpError refused = new HttpError(
                    response.getStatus(),
                    "REQUEST_REFUSED",
                    "[REQUEST_REFUSED] The request is not HTTP that is answered here.");
            Content.Sink.write(response, true, refused.json(), callback);
            return true;
        });
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

    /**
     * Frees the address, answers what was asked, for as long as a request may take, and closes the connections. Nothing
     * happens where it is stopped already.
     */
    public synchronized void stop() {
        if (running != null) {
            Running ended = running;
            running = null;
            ended.drain();
            ended.end();
        }
    }

    private BlockingQueue<Runnable> waiting() {
        int queue = options.limits().queue();
        return queue == 0 ? new SynchronousQueue<>() : new ArrayBlockingQueue<>(queue);
    }

    private ServerConnector connector(Server server) {
        HttpConfiguration configuration = new HttpConfiguration();
        configuration.setSendServerVersion(false);
        configuration.setRequestHeaderSize(MOST_HEAD);
        // The Host is checked with the routes; a certificate for another name is the client's to judge.
        configuration.addCustomizer(new SecureRequestCustomizer(false));
        HttpConnectionFactory http = new HttpConnectionFactory(configuration);
        ServerConnector connector = options.access()
                .tls()
                .map(files -> {
                    SslContextFactory.Server tls = new SslContextFactory.Server();
                    tls.setSslContext(PemIdentity.context(files));
                    return new ServerConnector(server, tls, http);
                })
                .orElseGet(() -> new ServerConnector(server, http));
        connector.setHost(options.host());
        connector.setPort(options.port());
        connector.setAcceptQueueSize(2048);
        connector.setIdleTimeout(options.limits().readTimeout().toMillis());
        return connector;
    }

    private record Running(
            Server server,
            ServerConnector connector,
            Routes routes,
            ThreadPoolExecutor pool,
            ScheduledExecutorService clock,
            ServerOptions options) {
        void drain() {
            routes.drain();
            connector.close();
            long until = System.nanoTime() + options.limits().timeout().toNanos() + TimeUnit.SECONDS.toNanos(1);
            try {
                while (routes.unanswered() > 0 && System.nanoTime() < until) {
                    Thread.sleep(PAUSE_MILLIS);
                }
                // The last answer leaves its connection after it is counted.
                Thread.sleep(PAUSE_MILLIS);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
            }
        }

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
