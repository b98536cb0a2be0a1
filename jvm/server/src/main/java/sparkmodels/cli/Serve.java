package sparkmodels.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;
import sparkmodels.server.ScoringServer;
import sparkmodels.server.ServerOptions;

@Command(
        name = "serve",
        description = {
            "Answers HTTP requests until it is ended.",
            "SIGTERM stops accepting, answers what was asked and ends with status 0."
        })
final class Serve implements Callable<Integer> {
    private static final String TOKEN_VARIABLE = "SPARK_MODELS_TOKEN";

    @Spec
    private CommandSpec spec;

    @Mixin
    private ModelOption model;

    @Option(names = "--help", usageHelp = true, description = "Show this help and exit.")
    private boolean help;

    @Option(
            names = {"-h", "--host"},
            defaultValue = "127.0.0.1",
            description = "The address to listen on (${DEFAULT-VALUE}).")
    private String host;

    @Option(
            names = {"-p", "--port"},
            defaultValue = "5000",
            description = "The port, 0 for any (${DEFAULT-VALUE}).")
    private int port;

    @Option(
            names = {"-w", "--workers"},
            defaultValue = "0",
            description = "Threads that score; 0 for one a core.")
    private int workers;

    @Option(
            names = "--timeout",
            defaultValue = "60",
            paramLabel = "SECONDS",
            converter = Seconds.class,
            description = "How long a request may take; then 504 (${DEFAULT-VALUE}).")
    private Duration timeout;

    @Option(
            names = "--read-timeout",
            defaultValue = "60",
            paramLabel = "SECONDS",
            converter = Seconds.class,
            description = "How long a client may take to send a request (${DEFAULT-VALUE}).")
    private Duration readTimeout;

    @Option(
            names = "--max-body",
            defaultValue = "64MB",
            paramLabel = "SIZE",
            converter = Bytes.class,
            description = "The largest body; beyond it 413 (${DEFAULT-VALUE}).")
    private Integer maxBody;

    @Option(
            names = "--queue",
            defaultValue = "256",
            paramLabel = "REQUESTS",
            description = "How many requests wait for a thread; beyond it 429 (${DEFAULT-VALUE}).")
    private int queue;

    @Option(names = "--wrap", description = "Put every answer under \"predictions\".")
    private boolean wrap;

    @Option(names = "--debug", description = "Show the model's own errors, which may hold values of the rows.")
    private boolean debug;

    @Option(
            names = "--allow-host",
            paramLabel = "NAME",
            description = "Another name that this server is called by; * for any.")
    private Set<String> allowedHosts = new LinkedHashSet<>();

    @Option(
            names = "--cors-origin",
            paramLabel = "ORIGIN",
            description = "A site whose pages may call the server; * for any.")
    private Set<String> corsOrigins = new LinkedHashSet<>();

    @Option(
            names = "--token-file",
            paramLabel = "FILE",
            description = "A file with the bearer token that requests must bring; also " + TOKEN_VARIABLE + ".")
    private Path tokenFile;

    @Option(names = "--tls-cert", paramLabel = "FILE", description = "The certificate in PEM, for HTTPS.")
    private Path certificate;

    @Option(names = "--tls-key", paramLabel = "FILE", description = "Its key in PEM.")
    private Path key;

    @Override
    public Integer call() throws InterruptedException, IOException {
        ServerOptions options = options();
        ModelPackage opened = model.open();
        try (Scorer scorer = Scorer.load(opened)) {
            ScoringServer server = new ScoringServer(scorer, opened, options);
            server.start();
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                server.stop();
                // A JVM that a signal ends says so by its status; this end was asked for.
                Runtime.getRuntime().halt(0);
            }));
            String scheme = certificate == null ? "http" : "https";
            String name = host.contains(":") ? "[" + host + "]" : host;
            System.err.printf(
                    "Serving %s on %s://%s:%d%n",
                    opened.root(), scheme, name, server.port().orElseThrow());
            server.join();
        }
        return 0;
    }

    private ServerOptions options() throws IOException {
        require(workers >= 0 && queue >= 0, "--workers and --queue are no less than 0");
        require((certificate == null) == (key == null), "TLS needs two files: give --tls-cert and --tls-key");
        int threads = workers > 0 ? workers : ServerOptions.Limits.DEFAULT.threads();
        Optional<ServerOptions.Tls> tls =
                certificate == null ? Optional.empty() : Optional.of(new ServerOptions.Tls(certificate, key));
        return new ServerOptions(
                host,
                port,
                new ServerOptions.Limits(threads, queue, maxBody, timeout, readTimeout),
                new ServerOptions.Access(allowedHosts, corsOrigins, token(), tls),
                wrap,
                debug);
    }

    private Optional<String> token() throws IOException {
        if (tokenFile == null) {
            return Optional.ofNullable(System.getenv(TOKEN_VARIABLE)).filter(token -> !token.isEmpty());
        }
        String token = Files.readString(tokenFile).strip();
        require(token.matches("[\\x20-\\x7e]+"), "The token file holds no token: write one line of printable ASCII");
        return Optional.of(token);
    }

    private void require(boolean holds, String problem) {
        if (!holds) {
            throw new ParameterException(spec.commandLine(), problem);
        }
    }

    /** Seconds, which may have a fraction. */
    static final class Seconds implements ITypeConverter<Duration> {
        @Override
        public Duration convert(String text) {
            try {
                double seconds = Double.parseDouble(text);
                if (seconds > 0 && seconds < Integer.MAX_VALUE) {
                    return Duration.ofMillis(Math.max(1, Math.round(seconds * 1000)));
                }
            } catch (NumberFormatException error) {
                throw new TypeConversionException("'" + text + "' is no number of seconds");
            }
            throw new TypeConversionException("'" + text + "' is no number of seconds more than 0");
        }
    }

    /** Sizes as 64MB, 512k or a number of bytes; k, M and G are powers of 1024. */
    static final class Bytes implements ITypeConverter<Integer> {
        private static final Pattern SIZE = Pattern.compile("([0-9]{1,12})\\s*([kmg]?)i?b?");

        @Override
        public Integer convert(String text) {
            Matcher found = SIZE.matcher(text.strip().toLowerCase(Locale.ROOT));
            if (found.matches()) {
                long unit = 1L << (found.group(2).isEmpty() ? 0 : 10 * (" kmg".indexOf(found.group(2))));
                long bytes = Long.parseLong(found.group(1)) * unit;
                if (bytes < Integer.MAX_VALUE - Byte.MAX_VALUE) {
                    return (int) bytes;
                }
            }
            throw new TypeConversionException("'" + text + "' is no size below 2 GB: write 64MB, 512k or a number");
        }
    }
}
