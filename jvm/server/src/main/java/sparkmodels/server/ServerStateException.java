package sparkmodels.server;

/** The server can't start or stop; the address and the cause tell why. */
public final class ServerStateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    ServerStateException(String what, Throwable cause) {
        super(what, cause);
    }
}
