package sparkmodels.server;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.util.BufferUtil;
import org.eclipse.jetty.util.Callback;
import sparkmodels.packages.Json;

/** The one answer to a request, whoever is first to give it. */
final class Reply {
    /** How many bytes of a refused body are read and dropped. */
    private static final long DISCARDED = 8 << 20;

    static final String JSON = "application/json";

    private final Request request;
    private final Response response;
    private final Callback callback;
    private final Incoming incoming;
    private final boolean debug;
    private final AtomicBoolean answered = new AtomicBoolean();
    private final List<Runnable> endings = new ArrayList<>();
    private final long start = System.nanoTime();

    Reply(Request request, Response response, Callback callback, Incoming incoming, boolean debug) {
        this.request = request;
        this.response = response;
        this.callback = callback;
        this.incoming = incoming;
        this.debug = debug;
    }

    /** The time since the request came, in nanoseconds. */
    long nanos() {
        return System.nanoTime() - start;
    }

    /** The status that is sent. */
    int status() {
        return response.getStatus();
    }

    /** Whether there is an answer already, so that nobody waits for another. */
    boolean isAnswered() {
        return answered.get();
    }

    /** Adds a header, if there is no answer yet. */
    void header(HttpHeader name, String value) {
        response.getHeaders().put(name, value);
    }

    /** Adds a header that has no constant. */
    void header(String name, String value) {
        response.getHeaders().put(name, value);
    }

    /** Runs something when the answer is given, at once if it is given already. */
    void onEnd(Runnable ending) {
        synchronized (endings) {
            if (!answered.get()) {
                endings.add(ending);
                return;
            }
        }
        ending.run();
    }

    void fail(Throwable error) {
        HttpError refused = HttpError.of(error);
        Map<String, Object> body = refused.body(debug);
        if (Request.getPathInContext(request).startsWith("/v2")) {
            // The protocol's clients look for "error".
            body.put("error", body.get("message"));
        }
        send(refused.status(), JSON, Json.write(body));
    }

    void send(int status, String type, String body) {
        List<Runnable> due;
        synchronized (endings) {
            if (!answered.compareAndSet(false, true)) {
                return;
            }
            due = List.copyOf(endings);
        }
        response.setStatus(status);
        due.forEach(Runnable::run);
        incoming.end();
        write(status, type, body.getBytes(StandardCharsets.UTF_8));
    }

    private void write(int status, String type, byte[] bytes) {
        header(HttpHeader.CONTENT_TYPE, type);
        if (status == 429 || status == 503) {
            header(HttpHeader.RETRY_AFTER, "1");
        }
        response.getHeaders().put(HttpHeader.CONTENT_LENGTH, bytes.length);
        ByteBuffer content = request.getMethod().equals("HEAD") ? BufferUtil.EMPTY_BUFFER : ByteBuffer.wrap(bytes);
        boolean asks = request.getMethod().equals("GET") || request.getMethod().equals("HEAD");
        if (asks || !incoming.unread()) {
            response.write(true, content, callback);
            return;
        }
        header(HttpHeader.CONNECTION, "close");
        if (status == 408 || request.getHeaders().contains(HttpHeader.EXPECT)) {
            response.write(true, content, callback);
            return;
        }
        response.write(
                false,
                content,
                Callback.from(
                        () -> incoming.discard(
                                DISCARDED, () -> response.write(true, BufferUtil.EMPTY_BUFFER, callback)),
                        callback::failed));
    }
}
