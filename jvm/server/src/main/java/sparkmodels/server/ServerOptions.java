package sparkmodels.server;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;

/**
 * The address, the limits and the doors of a server.
 *
 * @param host to bind
 * @param port to bind; 0 for any that is free
 * @param limits on what is read and how long it may take
 * @param access who may ask
 * @param wrap whether every answer stands under {@code "predictions"}
 * @param debug whether an answer shows the model's own error, which may hold values of the rows
 */
public record ServerOptions(String host, int port, Limits limits, Access access, boolean wrap, boolean debug) {
    /** Those of the Python server: loopback, port 5000, 64 MB, 256 waiting, 60 seconds, no token. */
    public static final ServerOptions DEFAULT =
            new ServerOptions("127.0.0.1", 5000, Limits.DEFAULT, Access.OPEN, false, false);

    /**
     * What a server reads at most, and how long it takes.
     *
     * @param threads that score
     * @param queue requests that may wait for one
     * @param maxBody bytes of a body
     * @param timeout within which a request that was read is answered
     * @param readTimeout within which a client must send a body, or anything at all
     */
    public record Limits(int threads, int queue, int maxBody, Duration timeout, Duration readTimeout) {
        /** A thread a core, and the Python server's limits. */
        public static final Limits DEFAULT = new Limits(
                Runtime.getRuntime().availableProcessors(),
                256,
                64 << 20,
                Duration.ofSeconds(60),
                Duration.ofSeconds(60));
    }

    /**
     * Who may ask.
     *
     * @param allowedHosts names in a request's Host besides the bound one and those of this machine; {@code *} for any
     * @param corsOrigins sites whose pages may call the server; {@code *} for any
     * @param token the bearer token that a request must bring, but for those that ask how the server is
     * @param tls where it speaks HTTPS
     */
    public record Access(
            Set<String> allowedHosts, Set<String> corsOrigins, Optional<String> token, Optional<Tls> tls) {
        /** Names of this machine only, no other sites, no token, no TLS. */
        public static final Access OPEN = new Access(Set.of(), Set.of(), Optional.empty(), Optional.empty());

        /** Copies the names. */
        public Access {
            allowedHosts = Set.copyOf(allowedHosts);
            corsOrigins = Set.copyOf(corsOrigins);
        }
    }

    /**
     * The files of HTTPS, as {@code openssl} writes them.
     *
     * @param certificate the certificate, followed by those that vouch for it, in PEM
     * @param key its private key in PEM: {@code BEGIN PRIVATE KEY}, or {@code BEGIN RSA PRIVATE KEY}
     */
    public record Tls(Path certificate, Path key) {}

    /** The same on another port. */
    public ServerOptions withPort(int other) {
        return new ServerOptions(host, other, limits, access, wrap, debug);
    }

    /** The same with other limits. */
    public ServerOptions withLimits(Limits other) {
        return new ServerOptions(host, port, other, access, wrap, debug);
    }

    /** The same with other doors. */
    public ServerOptions withAccess(Access other) {
        return new ServerOptions(host, port, limits, other, wrap, debug);
    }

    /** The same, every answer under {@code "predictions"} or not. */
    public ServerOptions withWrap(boolean other) {
        return new ServerOptions(host, port, limits, access, other, debug);
    }

    /** The same, with the model's own errors in the answers or not. */
    public ServerOptions withDebug(boolean other) {
        return new ServerOptions(host, port, limits, access, wrap, other);
    }
}
