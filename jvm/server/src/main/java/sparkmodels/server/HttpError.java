package sparkmodels.server;

import java.util.LinkedHashMap;
import java.util.Map;
import sparkmodels.errors.InputException;
import sparkmodels.errors.ScoringException;
import sparkmodels.packages.Json;

/** An error as it leaves the server: a status and {@code {"error_code", "message"}}. */
final class HttpError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;

    HttpError(int status, String code, String message) {
        super(message, null, false, false);
        this.status = status;
        this.code = code;
    }

    static HttpError notFound() {
        return new HttpError(404, "NOT_FOUND", "There is no such route.");
    }

    static HttpError tooLarge(int limit) {
        return new HttpError(
                413,
                "BODY_TOO_LARGE",
                "The body has more than %d bytes.%nHint: send fewer rows at once, or start with a larger --max-body."
                        .formatted(limit));
    }

    static HttpError queueFull(int waiting) {
        return new HttpError(
                429,
                "QUEUE_FULL",
                "%d requests wait for the model already.%nHint: try again in a moment.".formatted(waiting));
    }

    static HttpError deadline(double seconds) {
        return new HttpError(
                504,
                "DEADLINE_EXCEEDED",
                "The model gave no answer in %s s.%nHint: send fewer rows at once.".formatted(seconds));
    }

    /** What an exception of scoring is to the caller: the caller's fault, or the model's. */
    static HttpError of(Throwable error, boolean debug) {
        if (error instanceof HttpError known) {
            return known;
        }
        String detail = debug ? "\n" + trace(error) : "";
        if (error instanceof ScoringException known) {
            return new HttpError(
                    known instanceof InputException ? 400 : 500, known.code(), known.getMessage() + detail);
        }
        return new HttpError(
                500,
                "MODEL_FAILED",
                "The model failed with %s.%nHint: the server shows the traceback where it is started with --debug."
                                .formatted(error.getClass().getSimpleName())
                        + detail);
    }

    int status() {
        return status;
    }

    String body() {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("error_code", code);
        body.put("message", getMessage());
        return Json.write(body);
    }

    private static String trace(Throwable error) {
        java.io.StringWriter text = new java.io.StringWriter();
        error.printStackTrace(new java.io.PrintWriter(text));
        return text.toString();
    }
}
