package sparkmodels.packages;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;

/**
 * A package on disk: what its {@code MLmodel} says, read without running anything of it.
 *
 * <pre>{@code
 * ModelPackage model = ModelPackage.open(Path.of("models/churn"));   // reads MLmodel
 * model.verifyManifest();                                            // reads every byte
 * model.signature();                                                 // what it takes and gives
 * model.flavor("mleap");                                             // how it can be loaded
 * }</pre>
 */
public final class ModelPackage {
    private static final String MLMODEL = "MLmodel";

    private final Path root;
    private final Limits limits;
    private final Map<String, Object> entries;

    private ModelPackage(Path root, Limits limits, Map<String, Object> entries) {
        this.root = root;
        this.limits = limits;
        this.entries = entries;
    }

    /**
     * The package in a directory.
     *
     * @throws ModelException [NOT_A_MODEL] there is no {@code MLmodel}; [INVALID_MLMODEL] it can't be understood
     */
    public static ModelPackage open(Path root) {
        return open(root, Limits.DEFAULT);
    }

    /** The package in a directory, within other limits. */
    public static ModelPackage open(Path root, Limits limits) {
        Path file = root.resolve(MLMODEL);
        if (!Files.isRegularFile(file)) {
            throw new ModelException("NOT_A_MODEL", "There is no MLmodel file", root.toString(), "name the directory that holds it");
        }
        Map<String, Object> entries = Yaml.mapping(Json.text(file, limits.yamlBytes()), file.toString(), limits);
        if (!(entries.get("flavors") instanceof Map<?, ?> flavors) || !flavors.values().stream().allMatch(Map.class::isInstance)) {
            throw new ModelException("INVALID_MLMODEL", "It has no mapping 'flavors' of names to attributes", file.toString());
        }
        return new ModelPackage(root, limits, entries);
    }

    /** The package that an {@code MLmodel} file belongs to; the same as {@link #open(Path)} of its directory. */
    public static ModelPackage openFile(Path file) {
        if (file.getFileName() == null || !file.getFileName().toString().equals(MLMODEL)) {
            throw new ModelException("NOT_A_MODEL", "It is not named MLmodel", file.toString());
        }
        return open(file.toAbsolutePath().getParent());
    }

    /** Its directory. */
    public Path root() {
        return root;
    }

    /** The limits that it is read within. */
    public Limits limits() {
        return limits;
    }

    /** Every flavor and its attributes, in the file's order. */
    public Map<String, Map<String, Object>> flavors() {
        Map<String, Map<String, Object>> flavors = new LinkedHashMap<>();
        ((Map<?, ?>) entries.get("flavors")).forEach((name, attributes) -> {
            Map<String, Object> copy = new LinkedHashMap<>();
            ((Map<?, ?>) attributes).forEach((key, value) -> copy.put(String.valueOf(key), value));
            flavors.put(String.valueOf(name), copy);
        });
        return flavors;
    }

    /** The attributes of one flavor. */
    public Optional<Map<String, Object>> flavor(String name) {
        return Optional.ofNullable(flavors().get(name));
    }

    /**
     * The attributes of a flavor that must be there.
     *
     * @throws ModelException [FLAVOR_NOT_FOUND] it is not; those that are there are named
     */
    public Map<String, Object> requireFlavor(String name) {
        return flavor(name).orElseThrow(() -> new ModelException(
                "FLAVOR_NOT_FOUND",
                "The package has no flavor '%s', only %s".formatted(name, Names.listed(flavors().keySet())),
                root.toString(),
                "save it with a sample_input, which adds the mleap flavor"));
    }

    /** What it takes and gives. */
    public Optional<Signature> signature() {
        return entries.get("signature") instanceof Map<?, ?> entry
                ? Optional.of(Signature.of(entry, root.resolve(MLMODEL) + ": signature"))
                : Optional.empty();
    }

    /** When it was made, in UTC. */
    public Optional<LocalDateTime> timeCreated() {
        for (String key : new String[] {"time_created", "utc_time_created"}) {
            if (entries.get(key) != null) {
                try {
                    return Optional.of(LocalDateTime.parse(entries.get(key).toString().replace(' ', 'T').replaceFirst("Z$", "")));
                } catch (DateTimeException error) {
                    throw new ModelException("INVALID_MLMODEL", "'" + key + "' is no time", root.resolve(MLMODEL).toString(), "", error);
                }
            }
        }
        return Optional.empty();
    }

    /** The run that logged it. */
    public Optional<String> runId() {
        return Optional.ofNullable(entries.get("run_id")).map(Object::toString);
    }

    /** The input example, in its JSON form; empty where there is none or it is one of tensors. */
    public Optional<Table> inputExample() {
        Object reference = entries.get("saved_input_example_info") instanceof Map<?, ?> info
                ? info.get("artifact_path")
                : entries.get("input_example");
        if (reference == null) {
            return Optional.empty();
        }
        Path file = inside(reference.toString(), "input_example of MLmodel");
        Object body = Json.read(file, limits);
        return body instanceof Map<?, ?> map && map.containsKey("inputs") ? Optional.empty() : Optional.of(Table.of(body, file.toString()));
    }

    /** What the model gave for the example when it was saved; empty where that is unknown or no table. */
    public Optional<Table> examplePredictions() {
        if (!(entries.get("example_predictions") instanceof Map<?, ?> info) || info.get("artifact_path") == null) {
            return Optional.empty();
        }
        Path file = inside(info.get("artifact_path").toString(), "example_predictions of MLmodel");
        return Table.ofPredictions(Json.read(file, limits), file.toString());
    }

    /**
     * A path of {@code MLmodel} in the package.
     *
     * @throws ModelException [PATH_ESCAPES] it leads out of the package, if only by a link
     */
    public Path inside(String relative, String what) {
        Path base = root.toAbsolutePath().normalize();
        try {
            Path path = base.resolve(relative).normalize();
            boolean absolute = Path.of(relative).isAbsolute() || relative.contains("\\");
            if (!absolute && path.startsWith(base) && (!Files.exists(path) || path.toRealPath().startsWith(base.toRealPath()))) {
                return path;
            }
        } catch (IOException | InvalidPathException error) {
            throw new ModelException("PATH_ESCAPES", "The path can't be followed", what, "", error);
        }
        throw new ModelException("PATH_ESCAPES", "'" + relative + "' leads out of the package", what);
    }

    /**
     * The content hash, after every file was compared with the manifest.
     *
     * @throws ModelException [MANIFEST_MISMATCH] files were changed, added or removed
     */
    public String verifyManifest() {
        return Manifest.verify(root, limits);
    }

    /**
     * The content hash, which must be the expected one: a manifest tells what was saved, the pin tells by whom it is known.
     *
     * @param expected in hexadecimal, with or without {@code sha256:} before it
     * @throws ModelException [HASH_MISMATCH] it is another; [MANIFEST_MISMATCH] files were changed, added or removed
     */
    public String verifyManifest(String expected) {
        String found = verifyManifest();
        if (!found.equals(expected.toLowerCase(Locale.ROOT).replaceFirst("^sha256:", ""))) {
            throw new ModelException("HASH_MISMATCH", "The content hash is " + found + ", not the expected one", root.toString());
        }
        return found;
    }
}
