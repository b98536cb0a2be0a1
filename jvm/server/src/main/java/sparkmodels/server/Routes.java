package sparkmodels.server;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Handler;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.Callback;
import sparkmodels.errors.InputException;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;
import sparkmodels.scoring.Answer;
import sparkmodels.scoring.Body;
import sparkmodels.scoring.Scorer;

/** The routes of the server, in the order of a request: its host, route and token, its body, the model, the answer. */
final class Routes extends Handler.Abstract.NonBlocking {
    private static final List<String> OPEN = List.of("/ping", "/health", "/v2/health/live", "/v2/health/ready");
    private static final String ACCEPTED =
            "text/csv, application/json, application/json; format=pandas-split, application/json; format=pandas-records";

    private final Scorer scorer;
    private final ModelCard card;
    private final ServerOptions options;
    private final ThreadPoolExecutor pool;
    private final ScheduledExecutorService clock;
    private final Set<String> hosts = new HashSet<>();
    private final Metrics metrics = new Metrics();
    private final AtomicInteger asked = new AtomicInteger();
    private final AtomicInteger waiting = new AtomicInteger();
    private final AtomicLong held = new AtomicLong();
    private final Map<String, Route> routes = new LinkedHashMap<>();
    private volatile boolean draining;

    Routes(
            Scorer scorer,
            ModelCard card,
            ServerOptions options,
            ThreadPoolExecutor pool,
            ScheduledExecutorService clock) {
        this.scorer = scorer;
        this.card = card;
        this.options = options;
        this.pool = pool;
        this.clock = clock;
        options.access().allowedHosts().forEach(name -> hosts.add(name.toLowerCase(Locale.ROOT)));
        hosts.addAll(List.of("localhost", options.host().toLowerCase(Locale.ROOT)));
        thisHost().ifPresent(name -> hosts.add(name.toLowerCase(Locale.ROOT)));
        route("/invocations", "POST", this::invocations);
        route("/ping", "GET", (request, reply) -> ready(reply, "text/plain", "\n"));
        route("/health", "GET", (request, reply) -> ready(reply, "text/plain", "\n"));
        route("/version", "GET", (request, reply) -> reply.send(200, Reply.JSON, card.version()));
        route("/metrics", "GET", (request, reply) -> reply.send(
                200, "text/plain; version=0.0.4; charset=utf-8", metrics.text(waiting.get())));
        route("/openapi.json", "GET", (request, reply) -> reply.send(200, Reply.JSON, card.openApi()));
        route("/", "GET", this::page);
        route("/v2", "GET", (request, reply) -> reply.send(200, Reply.JSON, card.server()));
        route("/v2/health/live", "GET", (request, reply) -> reply.send(200, Reply.JSON, "{\"live\":true}"));
        String readiness = Json.write(ready(card.name()));
        route("/v2/health/ready", "GET", (request, reply) -> ready(reply, Reply.JSON, readiness));
        for (String model : List.of("/v2/models/" + card.name(), "/v2/models/" + card.name() + "/versions/1")) {
            route(model, "GET", (request, reply) -> reply.send(200, Reply.JSON, card.inference()));
            route(model + "/ready", "GET", (request, reply) -> ready(reply, Reply.JSON, readiness));
            route(model + "/infer", "POST", this::infer);
        }
    }

    private static Map<String, Object> ready(String name) {
        Map<String, Object> facts = new LinkedHashMap<>();
        facts.put("name", name);
        facts.put("ready", true);
        return facts;
    }

    /** Takes no more: `/ping` says so, and every answer ends its connection. What was asked is answered. */
    void drain() {
        draining = true;
    }

    /** How many requests have no answer yet. */
    int unanswered() {
        return asked.get();
    }

    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        Incoming incoming = new Incoming(request, options.limits().maxBody(), held);
        Reply reply = new Reply(request, response, callback, incoming, options.debug());
        try {
            cors(request, reply);
            if (draining) {
                reply.header(HttpHeader.CONNECTION, "close");
            }
            answer(request, incoming, reply);
        } catch (RuntimeException error) {
            reply.fail(error);
        }
        return true;
    }

    private void answer(Request request, Incoming incoming, Reply reply) {
        checkHost(request);
        String path = Request.getPathInContext(request);
        Route route = routes.get(path);
        if (path.equals("/invocations") || path.startsWith("/v2/models")) {
            reply.onEnd(() -> metrics.answered(reply.status(), reply.nanos()));
        }
        if (route == null) {
            throw HttpError.notFound();
        }
        String method = request.getMethod();
        if (method.equals("OPTIONS") && !options.access().corsOrigins().isEmpty()) {
            reply.send(204, Reply.JSON, "");
            return;
        }
        if (!(method.equals("HEAD") ? "GET" : method).equals(route.method())) {
            reply.header(HttpHeader.ALLOW, route.method());
            throw HttpError.methodNotAllowed(route.method());
        }
        if (!OPEN.contains(path) && !hasToken(request)) {
            reply.header(HttpHeader.WWW_AUTHENTICATE, "Bearer");
            throw HttpError.unauthorized();
        }
        route.handler().handle(new Asked(request, incoming), reply);
    }

    private void invocations(Asked asked, Reply reply) {
        MediaType type = MediaType.of(asked.request());
        requireJsonAccepted(asked.request());
        score(asked, reply, bytes -> {
            Body body = type.csv() ? Body.csv(text(bytes, "csv")) : Body.json(text(bytes, "$"), type.orient());
            Table scored = predict(body);
            return body.wrapped() || options.wrap()
                    ? Answer.wrapped(scored, scorer.records())
                    : Answer.of(scored, scorer.records());
        });
    }

    private void infer(Asked asked, Reply reply) {
        String given = asked.request().getHeaders().get(HttpHeader.CONTENT_TYPE);
        if (given != null && MediaType.of(asked.request()).csv()) {
            throw HttpError.mediaType(given, Reply.JSON);
        }
        score(asked, reply, bytes -> {
            Inference inference = Inference.read(text(bytes, "$"), scorer);
            return inference.answer(predict(inference.body()), card.name(), scorer.records());
        });
    }

    private Table predict(Body body) {
        long start = System.nanoTime();
        int rows = body.table().rows().size();
        try {
            return scorer.scoreBody(body);
        } finally {
            metrics.predicted(rows, System.nanoTime() - start);
        }
    }

    /** Reads the body, and runs the model on it when its turn comes; each within its time. */
    private void score(Asked request, Reply reply, Scoring scoring) {
        asked.incrementAndGet();
        reply.onEnd(asked::decrementAndGet);
        ScheduledFuture<?> slow = clock.schedule(
                () -> reply.fail(HttpError.slow()), options.limits().readTimeout().toMillis(), TimeUnit.MILLISECONDS);
        reply.onEnd(() -> slow.cancel(false));
        request.incoming().read(
                bytes -> {
                    slow.cancel(false);
                    submit(bytes, reply, scoring);
                },
                reply::fail);
    }

    private void submit(byte[] bytes, Reply reply, Scoring scoring) {
        // Only now does it wait for the model: who sends slowly keeps nobody else from it.
        int most = options.limits().queue() + options.limits().threads();
        int before = waiting.getAndIncrement();
        reply.onEnd(waiting::decrementAndGet);
        if (before >= most) {
            reply.fail(HttpError.queueFull(options.limits().queue()));
            return;
        }
        long millis = options.limits().timeout().toMillis();
        try {
            Future<?> task = pool.submit(() -> run(bytes, reply, scoring));
            ScheduledFuture<?> alarm = clock.schedule(
                    () -> {
                        // First the answer: the interrupted scorer would give one of its own.
                        reply.fail(HttpError.deadline(millis / 1000.0));
                        task.cancel(true);
                    },
                    millis,
                    TimeUnit.MILLISECONDS);
            reply.onEnd(() -> alarm.cancel(false));
        } catch (RejectedExecutionException error) {
            reply.fail(draining ? HttpError.notReady() : HttpError.queueFull(options.limits().queue()));
        }
    }

    private void run(byte[] bytes, Reply reply, Scoring scoring) {
        if (reply.isAnswered()) {
            return;
        }
        try {
            reply.send(200, Reply.JSON, scoring.score(bytes));
        } catch (RuntimeException | Error error) {
            // Whatever is not answered here the client would wait for until its time is over.
            reply.fail(error);
        }
    }

    private void ready(Reply reply, String type, String body) {
        if (draining) {
            throw HttpError.notReady();
        }
        reply.send(200, type, body);
    }

    private void page(Asked asked, Reply reply) {
        reply.header("content-security-policy", card.securityPolicy());
        reply.header("x-content-type-options", "nosniff");
        reply.send(200, "text/html; charset=utf-8", card.page());
    }

    private void route(String path, String method, Route.Answering handler) {
        routes.put(path, new Route(method, handler));
    }

    private static String text(byte[] bytes, String place) {
        try {
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            return text.startsWith("\uFEFF") ? text.substring(1) : text;
        } catch (CharacterCodingException error) {
            throw new InputException("JSON_BODY", "The input can't be read: it is not UTF-8", place, "", error);
        }
    }

    private boolean hasToken(Request request) {
        Optional<String> token = options.access().token();
        String given = request.getHeaders().get(HttpHeader.AUTHORIZATION);
        return token.isEmpty()
                || MessageDigest.isEqual(
                        ("Bearer " + token.get()).getBytes(StandardCharsets.UTF_8),
                        (given == null ? "" : given).getBytes(StandardCharsets.UTF_8));
    }

    private static void requireJsonAccepted(Request request) {
        List<String> given = request.getHeaders().getValuesList(HttpHeader.ACCEPT);
        if (given.isEmpty()) {
            return;
        }
        for (String part : String.join(",", given).split(",")) {
            String media = part.split(";")[0].strip().toLowerCase(Locale.ROOT);
            boolean refused = part.toLowerCase(Locale.ROOT).matches(".*;\\s*q=0(\\.0*)?\\s*(;.*)?");
            if (!refused && List.of("", "*/*", "application/*", Reply.JSON).contains(media)) {
                return;
            }
        }
        throw HttpError.notAcceptable(Reply.JSON);
    }

    /** What this machine calls itself. */
    private static Optional<String> thisHost() {
        try {
            return Optional.of(InetAddress.getLocalHost().getHostName());
        } catch (UnknownHostException error) {
            // It has a name that no resolver knows; the error's text begins with it.
            return Optional.ofNullable(error.getMessage()).map(text -> text.split(":", 2)[0]);
        }
    }

    /** No page of another site reaches this server by a name of its own. */
    private void checkHost(Request request) {
        String given = request.getHeaders().get(HttpHeader.HOST);
        String name = given == null ? "" : given.toLowerCase(Locale.ROOT);
        String bare = name.startsWith("[") ? name.substring(1, Math.max(name.indexOf(']'), 1)) : name.split(":", 2)[0];
        boolean address = name.startsWith("[") || bare.matches("[0-9]{1,3}(\\.[0-9]{1,3}){3}");
        if (!address && !hosts.contains(bare) && !hosts.contains("*")) {
            throw HttpError.otherHost();
        }
    }

    private void cors(Request request, Reply reply) {
        Set<String> origins = options.access().corsOrigins();
        if (origins.isEmpty()) {
            return;
        }
        reply.header(HttpHeader.VARY, "origin");
        String origin = request.getHeaders().get(HttpHeader.ORIGIN);
        if (origin != null && (origins.contains(origin) || origins.contains("*"))) {
            reply.header(HttpHeader.ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            reply.header(HttpHeader.ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept");
            reply.header(HttpHeader.ACCESS_CONTROL_ALLOW_METHODS, "GET, POST");
        }
    }

    /** A body as the text of its answer. */
    private interface Scoring {
        String score(byte[] body);
    }

    /** A request, and its body as it comes. */
    private record Asked(Request request, Incoming incoming) {}

    /** What answers a path, by one method. */
    private record Route(String method, Answering handler) {
        interface Answering {
            void handle(Asked asked, Reply reply);
        }
    }

    /** What a Content-Type says of a body. */
    private record MediaType(boolean csv, Optional<Body.Orient> orient) {
        static MediaType of(Request request) {
            String given = request.getHeaders().get(HttpHeader.CONTENT_TYPE);
            String encoding = request.getHeaders().get(HttpHeader.CONTENT_ENCODING);
            String[] parts = given == null ? new String[] {""} : given.split(";");
            String media = parts[0].strip().toLowerCase(Locale.ROOT);
            boolean known = media.equals(Reply.JSON) || media.equals("text/csv");
            boolean plain = encoding == null || encoding.equals("identity");
            Optional<Body.Orient> orient = Optional.empty();
            for (int at = 1; at < parts.length; at++) {
                String[] parameter = parts[at].strip().toLowerCase(Locale.ROOT).split("=", 2);
                String value = parameter.length < 2 ? "" : parameter[1].strip().replace("\"", "");
                if (parameter[0].strip().equals("charset")) {
                    known &= List.of("utf-8", "utf8", "us-ascii").contains(value);
                }
                if (parameter[0].strip().equals("format")) {
                    known &= media.equals(Reply.JSON) && List.of("pandas-split", "pandas-records").contains(value);
                    orient = Optional.of(value.equals("pandas-split") ? Body.Orient.SPLIT : Body.Orient.RECORDS);
                }
            }
            if (!known || !plain) {
                throw HttpError.mediaType(given, ACCEPTED);
            }
            return new MediaType(media.equals("text/csv"), orient);
        }
    }
}
