package sparkmodels.benchmarks;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import sparkmodels.scoring.Scorer;

/** How many rows a second threads score that share one scorer. */
final class Scaling {
    static final int[] THREADS = {1, 2, 8};
    private static final int ROWS = 4_000_000;

    private Scaling() {}

    /** Medians of several turns, by the number of threads. */
    static Map<Integer, Double> measure(Scorer scorer, int turns) throws InterruptedException, ExecutionException {
        Map<Integer, List<Double>> rates = new LinkedHashMap<>();
        for (int turn = 0; turn < turns; turn++) {
            for (int threads : THREADS) {
                rates.computeIfAbsent(threads, ignored -> new ArrayList<>()).add(rate(scorer, threads));
            }
        }
        Map<Integer, Double> medians = new LinkedHashMap<>();
        rates.forEach((threads, found) ->
                medians.put(threads, found.stream().sorted().toList().get(found.size() / 2)));
        return medians;
    }

    private static double rate(Scorer scorer, int threads) throws InterruptedException, ExecutionException {
        ExecutorService pool = Executors.newFixedThreadPool(threads);
        int each = ROWS / threads;
        long start = System.nanoTime();
        List<Future<Double>> results = new ArrayList<>();
        for (int at = 0; at < threads; at++) {
            results.add(pool.submit(() -> Rows.score(scorer, each)));
        }
        for (Future<Double> result : results) {
            result.get();
        }
        pool.shutdown();
        return each * (double) threads / ((System.nanoTime() - start) / 1e9);
    }
}
