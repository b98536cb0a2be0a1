package sparkmodels.server;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.LongAdder;

/** Counts for Prometheus, in its text form, under the names of the Python server's. */
final class Metrics {
    private static final double[] BUCKETS = {
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0
    };
    private static final double NANOS = 1e9;

    private final Map<Integer, LongAdder> answers = new ConcurrentSkipListMap<>();
    private final AtomicLongArray buckets = new AtomicLongArray(BUCKETS.length + 1);
    private final LongAdder rows = new LongAdder();
    private final LongAdder predictions = new LongAdder();
    private final LongAdder modelNanos = new LongAdder();
    private final LongAdder nanos = new LongAdder();

    /** Counts an answer of a request to the model. */
    void answered(int status, long duration) {
        answers.computeIfAbsent(status, ignored -> new LongAdder()).increment();
        nanos.add(duration);
        int place = Arrays.binarySearch(BUCKETS, duration / NANOS);
        buckets.incrementAndGet(place < 0 ? -place - 1 : place);
    }

    /** Counts a prediction. */
    void predicted(int count, long duration) {
        rows.add(count);
        predictions.increment();
        modelNanos.add(duration);
    }

    String text(int waiting) {
        StringBuilder text = new StringBuilder();
        head(text, "spark_models_requests_total", "counter", "Answers to requests for predictions.");
        answers.forEach((status, count) -> text.append("spark_models_requests_total{status=\"")
                .append(status)
                .append("\"} ")
                .append(count.sum())
                .append('\n'));
        head(text, "spark_models_request_seconds", "histogram", "From the request's head to its answer.");
        long count = 0;
        for (int at = 0; at <= BUCKETS.length; at++) {
            count += buckets.get(at);
            text.append("spark_models_request_seconds_bucket{le=\"")
                    .append(at < BUCKETS.length ? String.valueOf(BUCKETS[at]) : "+Inf")
                    .append("\"} ")
                    .append(count)
                    .append('\n');
        }
        text.append("spark_models_request_seconds_sum ")
                .append(seconds(nanos))
                .append("\nspark_models_request_seconds_count ")
                .append(count)
                .append('\n');
        value(text, "spark_models_rows_total", "counter", "Rows that were scored.", String.valueOf(rows.sum()));
        value(text, "spark_models_predictions_total", "counter", "Calls of the model.", "" + predictions.sum());
        value(text, "spark_models_model_seconds_total", "counter", "Time in the model.", seconds(modelNanos));
        value(text, "spark_models_waiting_requests", "gauge", "Requests that wait for the model.", "" + waiting);
        value(text, "spark_models_worker_starts_total", "counter", "Workers that were started.", "1");
        return text.toString();
    }

    private static String seconds(LongAdder nanos) {
        return String.format(Locale.ROOT, "%.6f", nanos.sum() / NANOS);
    }

    private static void value(StringBuilder text, String name, String kind, String said, String value) {
        head(text, name, kind, said);
        text.append(name).append(' ').append(value).append('\n');
    }

    private static void head(StringBuilder text, String name, String kind, String said) {
        text.append("# HELP %s %s\n# TYPE %s %s\n".formatted(name, said, name, kind));
    }
}
