package sparkmodels.errors;

import java.util.Collection;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;

/** Names in the text of an error. */
public final class Names {
    /** How many of a list are shown. */
    public static final int SHOWN = 10;

    private Names() {}

    /** {@code ['a', 'b']}, at most ten of them and how many more there are. */
    public static String listed(Collection<String> names) {
        String shown = names.stream().limit(SHOWN).map(name -> "'" + name + "'").collect(Collectors.joining(", "));
        return "[" + shown + (names.size() > SHOWN ? ", … +" + (names.size() - SHOWN) + " more" : "") + "]";
    }

    /** {@code [0, 1]}, cut as {@link #listed}. */
    public static String bare(Collection<String> names) {
        return "[" + String.join(", ", names.stream().limit(SHOWN).toList())
                + (names.size() > SHOWN ? ", … +" + (names.size() - SHOWN) + " more" : "") + "]";
    }

    /** The candidate that differs from a name by case, blanks or underscores only. */
    public static Optional<String> alike(String name, Collection<String> candidates) {
        return candidates.stream()
                .filter(candidate -> plain(candidate).equals(plain(name)))
                .findFirst();
    }

    private static String plain(String name) {
        return name.replaceAll("[\\s_.-]", "").toLowerCase(Locale.ROOT);
    }
}
