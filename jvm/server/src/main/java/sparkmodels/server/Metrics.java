package sparkmodels.server;

import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/** Counts for Prometheus, in its text form. */
final class Metrics {
    private final Map<Integer, LongAdder> answers = new ConcurrentSkipListMap<>();
    private final LongAdder rows = new LongAdder();
    private final LongAdder nanos = new LongAdder();

    void answered(int status, long duration) {
        answers.computeIfAbsent(status, ignored -> new LongAdder()).increment();
        nanos.add(duration);
    }

    void scored(int count) {
        rows.add(count);
    }

    String text() {
        StringBuilder text = new StringBuilder("# TYPE spark_models_requests_total counter\n");
        answers.forEach((status, count) ->
                text.append("spark_models_requests_total{status=\"%d\"} %d%n".formatted(status, count.sum())));
        text.append("# TYPE spark_models_request_seconds_total counter\nspark_models_request_seconds_total ")
                .append(nanos.sum() / 1e9)
                .append('\n');
        text.append("# TYPE spark_models_rows_total counter\nspark_models_rows_total ")
                .append(rows.sum())
                .append('\n');
        return text.toString();
    }
}
