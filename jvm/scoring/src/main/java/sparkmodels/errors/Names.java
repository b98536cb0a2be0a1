package sparkmodels.errors;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Names in the text of an error. */
public final class Names {
    private static final int SHOWN = 10;

    private Names() {}

    /** {@code ['a', 'b']}, at most ten of them and how many more there are. */
    public static String listed(Collection<String> names) {
        String shown = names.stream().limit(SHOWN).map(name -> "'" + name + "'").collect(Collectors.joining(", "));
        return "[" + shown + (names.size() > SHOWN ? ", … +" + (names.size() - SHOWN) + " more" : "") + "]";
    }

    /** The candidate that differs from a name by case, blanks or underscores only. */
    public static Optional<String> alike(String name, Collection<String> candidates) {
        return candidates.stream()
                .filter(candidate -> bare(candidate).equals(bare(name)))
                .findFirst();
    }

    private static String bare(String name) {
        return name.replaceAll("[\\s_.-]", "").toLowerCase(Locale.ROOT);
    }
}
