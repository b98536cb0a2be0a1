package sparkmodels.server;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.LinkedHashMap;
import java.util.Map;
import sparkmodels.errors.InputException;
import sparkmodels.errors.RowException;
import sparkmodels.errors.ScoringException;
import sparkmodels.packages.Json;

/** An error as it leaves the server: a status and {@code {"error_code", "message"}}. */
final class HttpError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;

    HttpError(int status, String code, String message) {
        this(status, code, message, null);
    }

    private HttpError(int status, String code, String message, Throwable cause) {
        super(message, cause, false, false);
        this.status = status;
        this.code = code;
    }

    static HttpError notFound() {
        return refused(404, "NOT_FOUND", "There is no such route");
    }

    static HttpError methodNotAllowed(String methods) {
        return refused(405, "METHOD_NOT_ALLOWED", "The route takes only " + methods);
    }

    static HttpError unauthorized() {
        return refused(401, "UNAUTHORIZED", "The bearer token is missing or wrong");
    }

    static HttpError otherHost() {
        return refused(
                421, "HOST_NOT_ALLOWED", "The request's Host is not one of this server's.\nHint: start it with --allow-host");
    }

    static HttpError slow() {
        return refused(408, "REQUEST_REFUSED", "The body was not sent in time");
    }

    static HttpError clientGone() {
        return refused(400, "CLIENT_GONE", "The client went away");
    }

    static HttpError notReady() {
        return coded(503, "NOT_READY", "The server does not score now: it ends", "try again in a moment");
    }

    static HttpError mediaType(String given, String accepted) {
        String what = given == null ? "The request says no content type" : "The content type is not read here";
        return coded(415, "UNSUPPORTED_MEDIA_TYPE", what, "send one of " + accepted + ", in UTF-8 and not encoded");
    }

    static HttpError notAcceptable(String offered) {
        return coded(406, "NOT_ACCEPTABLE", "The answer can't be given as the request accepts it", "accept " + offered);
    }

    static HttpError tooLarge(int limit) {
        return coded(
                413,
                "BODY_TOO_LARGE",
                "The body has more than " + limit + " bytes",
                "send fewer rows at once, or start the server with a larger --max-body");
    }

    static HttpError queueFull(int waiting) {
        return coded(
                429,
                "QUEUE_FULL",
                waiting + " requests wait for the model already",
                "try again in a moment; more threads (-w) or a longer --queue take more requests at once");
    }

    static HttpError deadline(double seconds) {
        return coded(
                504,
                "DEADLINE_EXCEEDED",
                "The model gave no answer in %s s".formatted(seconds),
                "send fewer rows at once, or start the server with a longer --timeout");
    }

    /**
     * What an exception of scoring is to the caller. What is wrong with the input is the caller's fault; a row that the
     * model refuses is the model's word, as with any other model.
     */
    static HttpError of(Throwable error) {
        if (error instanceof HttpError known) {
            return known;
        }
        boolean refusedByModel =
                error instanceof RowException row && row.field().isEmpty() && row.code().equals("INVALID_INPUT");
        if (error instanceof ScoringException known && !refusedByModel) {
            return new HttpError(known instanceof InputException ? 400 : 500, known.code(), known.getMessage(), error);
        }
        Throwable raised = refusedByModel && error.getCause() != null ? error.getCause() : error;
        HttpError failed = coded(
                500,
                "MODEL_FAILED",
                "The model failed with " + raised.getClass().getSimpleName(),
                "the server shows the traceback where it is started with --debug");
        return new HttpError(failed.status, failed.code, failed.getMessage(), error);
    }

    int status() {
        return status;
    }

    /** The error as JSON: the code for programs is the general one where the caller is at fault. */
    Map<String, Object> body(boolean debug) {
        Map<String, Object> body = new LinkedHashMap<>();
        body.put("error_code", status == 400 && !code.equals("CLIENT_GONE") ? "BAD_REQUEST" : code);
        body.put("message", getMessage());
        if (debug && getCause() != null) {
            StringWriter text = new StringWriter();
            getCause().printStackTrace(new PrintWriter(text));
            body.put("stack_trace", text.toString());
        }
        return body;
    }

    String json() {
        return Json.write(body(false));
    }

    private static HttpError refused(int status, String code, String what) {
        return new HttpError(status, code, "[REQUEST_REFUSED] " + what + ".");
    }

    private static HttpError coded(int status, String code, String what, String hint) {
        return new HttpError(status, code, "[%s] %s.%nHint: %s.".formatted(code, what, hint));
    }
}
