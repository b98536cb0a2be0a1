import java.nio.file.Path;
import sparkmodels.scoring.Scorer;

/**
 * Loads packages one after the other, and prints the milliseconds of each: the first one reads MLeap's registry of ops.
 *
 * <p>java -cp spark-models.jar LoadTimes.java PACKAGE…
 */
final class LoadTimes {
    private LoadTimes() {}

    public static void main(String[] packages) {
        for (String name : packages) {
            long start = System.nanoTime();
            Scorer.open(Path.of(name)).close();
            System.out.println((System.nanoTime() - start) / 1_000_000.0);
        }
    }
}
