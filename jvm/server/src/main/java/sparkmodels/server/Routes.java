package sparkmodels.server;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sparkmodels.errors.InputException;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Answer;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Scorer;

/** The routes: {@code /invocations}, {@code /ping}, {@code /health}, {@code /version}, {@code /metrics}. */
final class Routes extends Handler.Abstract {
    private static final String JSON = "application/json";
    private static final String CSV = "text/csv";
    /** Bodies of the largest size that are held at once, as the Python server has it. */
    private static final int BODIES_HELD = 4;

    private static final Map<String, String> METHODS =
            Map.of("/invocations", "POST", "/ping", "GET", "/health", "GET", "/version", "GET", "/metrics", "GET");

    private final Scorer scorer;
    private final String version;
    private final ServerOptions options;
    private final ExecutorService pool;
    private final ScheduledExecutorService clock;
    private final Set<String> hosts;
    private final Metrics metrics = new Metrics();
    private final AtomicInteger bodies = new AtomicInteger();
    private final AtomicLong held = new AtomicLong();

    Routes(Scorer scorer, String version, ServerOptions options, ExecutorService pool, ScheduledExecutorService clock) {
        this.scorer = scorer;
        this.version = version;
        this.options = options;
        this.pool = pool;
        this.clock = clock;
        this.hosts = new HashSet<>(options.allowedHosts());
        hosts.addAll(List.of("localhost", options.host().toLowerCase(Locale.ROOT)));
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        Reply reply = new Reply(request, response, callback);
        try {
            checkHost(request);
            String path = Request.getPathInContext(request);
            String method = METHODS.get(path);
            if (method == null) {
                throw HttpError.notFound();
            }
            String asked = request.getMethod().equals("HEAD") ? "GET" : request.getMethod();
            if (!asked.equals(method)) {
                response.getHeaders().put(HttpHeader.ALLOW, method);
                throw new HttpError(405, "METHOD_NOT_ALLOWED", "The route takes only " + method + ".");
            }
            switch (path) {
                case "/invocations" -> invocations(request, reply);
                case "/version" -> reply.send(200, JSON, version);
                case "/metrics" -> reply.send(200, "text/plain; version=0.0.4; charset=utf-8", metrics.text());
                default -> reply.send(200, "text/plain", "\n");
            }
        } catch (RuntimeException error) {
            reply.fail(error);
        }
        return true;
    }

    private void invocations(Request request, Reply reply) {
        boolean csv = mediaType(request).equals(CSV);
        if (bodies.incrementAndGet() > options.queue() + options.threads()) {
            bodies.decrementAndGet();
            throw HttpError.queueFull(options.queue());
        }
        reply.onEnd(bodies::decrementAndGet);
        String body = body(request, reply);
        try {
            Future<?> task = pool.submit(() -> score(body, csv, reply));
            ScheduledFuture<?> alarm = clock.schedule(
                    () -> {
                        // First the answer: the interrupted scorer would give one of its own.
                        reply.fail(HttpError.deadline(options.timeout().toMillis() / 1000.0));
                        task.cancel(true);
                    },
                    options.timeout().toMillis(),
                    TimeUnit.MILLISECONDS);
            reply.onEnd(() -> alarm.cancel(false));
        } catch (RejectedExecutionException error) {
            throw HttpError.queueFull(options.queue());
        }
    }

    private void score(String text, boolean csv, Reply reply) {
        try {
            Body body = csv ? Body.csv(text, scorer.inputs()) : Body.json(text);
            Table scored = scorer.scoreTable(body.table()).orThrow();
            metrics.scored(scored.rows().size());
            reply.send(200, JSON, body.wrapped() || options.wrap() ? Answer.wrapped(scored) : Answer.of(scored));
        } catch (RuntimeException | StackOverflowError error) {
            reply.fail(error);
        }
    }

    private static String mediaType(Request request) {
        String given = request.getHeaders().get(HttpHeader.CONTENT_TYPE);
        String type = given == null ? "" : given.split(";")[0].strip().toLowerCase(Locale.ROOT);
        String encoding = request.getHeaders().get(HttpHeader.CONTENT_ENCODING);
        boolean otherText = given != null && given.toLowerCase(Locale.ROOT).matches(".*charset=(?!\"?utf-?8).*");
        if (!List.of(JSON, CSV).contains(type) || otherText || encoding != null && !encoding.equals("identity")) {
            String what = given == null ? "The request says no content type." : "The content type is not read here.";
            throw new HttpError(
                    415,
                    "UNSUPPORTED_MEDIA_TYPE",
                    what + "\nHint: send one of application/json, text/csv, in UTF-8 and not encoded.");
        }
        return type;
    }

    private String body(Request request, Reply reply) {
        if (request.getLength() > options.maxBody()) {
            throw HttpError.tooLarge(options.maxBody());
        }
        // A length that is not told may be any.
        long reserved = request.getLength() < 0 ? options.maxBody() : request.getLength();
        reply.onEnd(() -> held.addAndGet(-reserved));
        if (held.addAndGet(reserved) > BODIES_HELD * (long) options.maxBody()) {
            throw HttpError.queueFull(bodies.get());
        }
        try (InputStream stream = Content.Source.asInputStream(request)) {
            byte[] bytes = stream.readNBytes(options.maxBody() + 1);
            if (bytes.length > options.maxBody()) {
                throw HttpError.tooLarge(options.maxBody());
            }
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException error) {
            throw new InputException("JSON_BODY", "The body is not UTF-8 text", "$", "", error);
        } catch (IOException error) {
            throw new HttpError(400, "REQUEST_REFUSED", "The body was not sent whole.");
        }
    }

    /** No page of another site reaches this server by a name of its own. */
    private void checkHost(Request request) {
        String given = request.getHeaders().get(HttpHeader.HOST);
        String name = given == null ? "" : given.toLowerCase(Locale.ROOT);
        String bare = name.startsWith("[") ? name.substring(1, Math.max(name.indexOf(']'), 1)) : name.split(":", 2)[0];
        boolean address = name.startsWith("[") || bare.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
        if (!address && !hosts.contains(bare) && !hosts.contains("*")) {
            throw new HttpError(
                    421,
                    "HOST_NOT_ALLOWED",
                    "The request's Host is not one of this server's.\nHint: start it with --allow-host.");
        }
    }

    /** The one answer to a request, whoever is first to give it. */
    private final class Reply {
        private final Request request;
        private final Response response;
        private final Callback callback;
        private final long start = System.nanoTime();
        private final AtomicBoolean answered = new AtomicBoolean();
        private final List<Runnable> endings = new CopyOnWriteArrayList<>();

        Reply(Request request, Response response, Callback callback) {
            this.request = request;
            this.response = response;
            this.callback = callback;
        }

        void onEnd(Runnable ending) {
            endings.add(ending);
            if (answered.get() && endings.remove(ending)) {
                ending.run();
            }
        }

        void fail(Throwable error) {
            HttpError refused = HttpError.of(error, options.debug());
            send(refused.status(), JSON, refused.body());
        }

        void send(int status, String type, String body) {
            if (!answered.compareAndSet(false, true)) {
                return;
            }
            for (Runnable ending : endings) {
                if (endings.remove(ending)) {
                    ending.run();
                }
            }
            metrics.answered(status, System.nanoTime() - start);
            response.setStatus(status);
            response.getHeaders().put(HttpHeader.CONTENT_TYPE, type);
            if (status == 429 || status == 503) {
                response.getHeaders().put(HttpHeader.RETRY_AFTER, "1");
            }
            byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
            response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
            response.write(true, request.getMethod().equals("HEAD") ? null : ByteBuffer.wrap(bytes), callback);
        }
    }
}
