package sparkmodels.benchmarks;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import sparkmodels.scoring.Scorer;

/**
 * What a scorer leaves and allocates while ten million rows go through it, after each fifth of them.
 *
 * @param liveBytes of the heap, after a collection
 * @param allocatedBytes for one row
 */
record Endurance(List<Long> liveBytes, List<Double> allocatedBytes) {
    static final int ROWS = 10_000_000;
    private static final int PARTS = 5;

    static Endurance measure(Scorer scorer) {
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        List<Long> live = new ArrayList<>();
        List<Double> allocated = new ArrayList<>();
        for (int part = 0; part < PARTS; part++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            Rows.score(scorer, ROWS / PARTS);
            allocated.add((threads.getCurrentThreadAllocatedBytes() - before) / (double) (ROWS / PARTS));
            System.gc();
            live.add(ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return new Endurance(live, allocated);
    }

    /** By how much the live heap grew from the first fifth to the last. */
    double growth() {
        return liveBytes.get(PARTS - 1) / (double) liveBytes.get(0) - 1;
    }
}
