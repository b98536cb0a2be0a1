package sparkmodels.benchmarks;

import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import sparkmodels.fixtures.Packages;
import sparkmodels.packages.ModelPackage;
import sparkmodels.scoring.Scorer;

/** What the heap holds while ten million rows are scored, and how many threads scale. */
public final class TenMillionRows {
    private static final int ROWS = 10_000_000;
    private static final int PARTS = 5;

    private TenMillionRows() {}

    /** Prints the live heap after each fifth of the rows, then rows a second by threads. */
    public static void main(String[] arguments) throws Exception {
        Path root = Packages.logistic(Files.createTempDirectory("spark-models-benchmark"), "");
        try (Scorer scorer = Scorer.load(ModelPackage.open(root))) {
            MemoryMXBean memory = ManagementFactory.getMemoryMXBean();
            for (int part = 0; part < PARTS; part++) {
                long start = System.nanoTime();
                score(scorer, ROWS / PARTS);
                double seconds = (System.nanoTime() - start) / 1e9;
                System.gc();
                System.out.printf(
                        "%,d rows: %.2f us a row, %,d bytes live%n",
                        (part + 1) * (ROWS / PARTS),
                        seconds * 1e6 / (ROWS / PARTS),
                        memory.getHeapMemoryUsage().getUsed());
            }
            double one = 0;
            for (int threads : new int[] {1, 2, 8, 1, 2, 8}) {
                double rate = rate(scorer, threads);
                one = threads == 1 ? rate : one;
                System.out.printf("%d threads: %,.0f rows/s, %.2f x%n", threads, rate, rate / one);
            }
        }
    }

    private static double rate(Scorer scorer, int threads) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        int each = 4_000_000 / threads;
        long start = System.nanoTime();
        List<Future<Double>> results = new ArrayList<>();
        for (int at = 0; at < threads; at++) {
            results.add(pool.submit(() -> score(scorer, each)));
        }
        for (Future<Double> result : results) {
            result.get();
        }
        pool.shutdown();
        return each * (double) threads / ((System.nanoTime() - start) / 1e9);
    }

    private static double score(Scorer scorer, int count) {
        String[] cities = {"Rome", "Oslo", "Lima"};
        double sum = 0;
        for (int at = 0; at < count; at++) {
            sum += (Double) scorer.scoreRow(new Object[] {
                cities[at % 3], at % 2 == 0 ? "free" : "paid", (double) (at % 90), (double) (at % 7)
            })[0];
        }
        return sum;
    }
}
