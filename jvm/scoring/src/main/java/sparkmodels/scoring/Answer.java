package sparkmodels.scoring;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import sparkmodels.packages.Json;
import sparkmodels.packages.Table;

/** Outputs as JSON. */
public final class Answer {
    private Answer() {}

    /**
     * A list of records, or of the values of the one column; NaN and infinities are null.
     *
     * @param records {@link Scorer#records}
     */
    public static String of(Table outputs, boolean records) {
        return Json.write(values(outputs, records));
    }

    /** As {@link #of}, under {@code "predictions"}. */
    public static String wrapped(Table outputs, boolean records) {
        return Json.write(Map.of("predictions", values(outputs, records)));
    }

    private static List<Object> values(Table outputs, boolean records) {
        List<Object> values = new ArrayList<>(outputs.rows().size());
        for (List<Object> row : outputs.rows()) {
            if (!records) {
                values.add(row.get(0));
            } else {
                Map<String, Object> record = new LinkedHashMap<>();
                for (int at = 0; at < row.size(); at++) {
                    record.put(outputs.columns().get(at), row.get(at));
                }
                values.add(record);
            }
        }
        return values;
    }
}
