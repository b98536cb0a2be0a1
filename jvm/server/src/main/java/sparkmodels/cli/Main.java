package sparkmodels.cli;

import java.util.concurrent.Callable;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import sparkmodels.errors.ScoringException;

/** The command line: {@code java -jar spark-models.jar predict | serve | verify | inspect}. */
@Command(
        name = "spark-models",
        description = "Scores packages in a plain JVM.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        subcommands = {Predict.class, Serve.class, Verify.class, Inspect.class})
public final class Main implements Callable<Integer> {
    /** MLeap's BLAS warns of a variant that a JVM may lack. Held, for a logger that nobody holds forgets its level. */
    private static final Logger BLAS = Logger.getLogger("dev.ludovic.netlib");

    static {
        BLAS.setLevel(Level.SEVERE);
    }

    private Main() {}

    /** Ends the process with 0, with 1 for an error or a conflict, with 2 for a wrong call. */
    public static void main(String[] arguments) {
        System.exit(run(arguments));
    }

    static int run(String... arguments) {
        CommandLine line = new CommandLine(new Main());
        line.setExecutionExceptionHandler((error, command, parsed) -> {
            command.getErr().println(error instanceof ScoringException ? error.getMessage() : error.toString());
            return 1;
        });
        return line.execute(arguments);
    }

    @Override
    public Integer call() {
        CommandLine.usage(this, System.err);
        return 2;
    }

    static final class Version implements CommandLine.IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = Main.class.getPackage().getImplementationVersion();
            return new String[] {"spark-models " + (version == null ? "development" : version)};
        }
    }
}
