package sparkmodels.packages;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.stream.Stream;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;

/**
 * A package on disk: what its {@code MLmodel} says, read without running anything of it.
 *
 * <pre>{@code
 * ModelPackage model = ModelPackage.open(Path.of("models/churn"));   // reads MLmodel
 * model = model.verified();                                          // reads every byte
 * model.signature();                                                 // what it takes and gives
 * model.flavor("mleap");                                             // how it can be loaded
 * }</pre>
 */
public final class ModelPackage {
    private static final String MLMODEL = "MLmodel";

    private final Path root;
    private final Limits limits;
    private final Map<String, Object> entries;
    /** By path; empty unless they were verified. */
    private final SortedMap<String, String> sums;

    private ModelPackage(Path root, Limits limits, Map<String, Object> entries, SortedMap<String, String> sums) {
        this.root = root;
        this.limits = limits;
        this.entries = entries;
        this.sums = sums;
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
            throw new ModelException(
                    "NOT_A_MODEL", "There is no MLmodel file", root.toString(), "name the directory that holds it");
        }
        return new ModelPackage(
                root, limits, entries(Json.text(file, limits.yamlBytes()), file, limits), Collections.emptySortedMap());
    }

    private static Map<String, Object> entries(String text, Path file, Limits limits) {
        Map<String, Object> entries = Yaml.mapping(text, file.toString(), limits);
        if (!(entries.get("flavors") instanceof Map<?, ?> flavors)
                || !flavors.values().stream().allMatch(Map.class::isInstance)) {
            throw new ModelException(
                    "INVALID_MLMODEL", "It has no mapping 'flavors' of names to attributes", file.toString());
        }
        return entries;
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
        return flavor(name)
                .orElseThrow(() -> new ModelException(
                        "FLAVOR_NOT_FOUND",
                        "The package has no flavor '%s', only %s"
                                .formatted(name, Names.listed(flavors().keySet())),
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
                    return Optional.of(LocalDateTime.parse(
                            entries.get(key).toString().replace(' ', 'T').replaceFirst("Z$", "")));
                } catch (DateTimeException error) {
                    throw new ModelException(
                            "INVALID_MLMODEL",
                            "'" + key + "' is no time",
                            root.resolve(MLMODEL).toString(),
                            "",
                            error);
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
        return body instanceof Map<?, ?> map && map.containsKey("inputs")
                ? Optional.empty()
                : Optional.of(Table.of(body, file.toString()));
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
            if (!absolute
                    && path.startsWith(base)
                    && (!Files.exists(path) || path.toRealPath().startsWith(base.toRealPath()))) {
                return path;
            }
        } catch (IOException | InvalidPathException error) {
            throw new ModelException("PATH_ESCAPES", "The path can't be followed", what, "", error);
        }
        throw new ModelException("PATH_ESCAPES", "'" + relative + "' leads out of the package", what);
    }

    /**
     * The same package, after every file was compared with its manifest. What is read of it from now on must be what
     * was compared.
     *
     * @throws ModelException [MANIFEST_MISMATCH] files were changed, added or removed
     */
    public ModelPackage verified() {
        SortedMap<String, String> found = Manifest.verify(root, limits);
        Path file = root.resolve(MLMODEL);
        String text = Json.text(file, limits.yamlBytes());
        if (!Manifest.sum(text.getBytes(StandardCharsets.UTF_8)).equals(found.get(MLMODEL))) {
            throw changed(file);
        }
        return new ModelPackage(root, limits, entries(text, file, limits), found);
    }

    /**
     * The same as {@link #verified()}, of a package whose content hash must be this one. A manifest tells what was
     * saved; only a pin tells that it is the package that was meant.
     *
     * @param hash in hexadecimal, with or without {@code sha256:} before it
     * @throws ModelException [HASH_MISMATCH] it is another; [MANIFEST_MISMATCH] files were changed, added or removed
     */
    public ModelPackage verified(String hash) {
        ModelPackage found = verified();
        if (!found.contentHash().equals(hash.toLowerCase(Locale.ROOT).replaceFirst("^sha256:", ""))) {
            throw new ModelException(
                    "HASH_MISMATCH",
                    "The content hash is " + found.contentHash() + ", not the expected one",
                    root.toString());
        }
        return found;
    }

    /** The content hash, for which every file is read unless the package is verified. */
    public String contentHash() {
        return Manifest.contentHash(sums.isEmpty() ? Manifest.verify(root, limits) : sums);
    }

    /**
     * Copies a file or folder of the package; of a verified one, the very bytes that are copied are compared.
     *
     * @param part a path from {@link #inside}
     * @param target the copy; its parent exists
     * @throws ModelException [MANIFEST_MISMATCH] it has changed since it was verified; [INVALID_PACKAGE] it holds a
     *     link
     */
    public void copy(Path part, Path target) {
        try (Stream<Path> files = Files.walk(part)) {
            for (Path file : (Iterable<Path>) files::iterator) {
                Path copy = target.resolve(part.relativize(file).toString());
                if (Files.isDirectory(file, LinkOption.NOFOLLOW_LINKS)) {
                    Files.createDirectories(copy);
                } else if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
                    throw new ModelException(
                            "INVALID_PACKAGE", "A link or device has no place in a package", file.toString());
                } else if (!unchanged(file, Manifest.copy(file, part.equals(file) ? target : copy))) {
                    throw changed(file);
                }
            }
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "It can't be copied", part.toString(), "", error);
        }
    }

    /**
     * The bytes of a file; of a verified package, those that were compared.
     *
     * @param file a path from {@link #inside}
     * @throws ModelException [MANIFEST_MISMATCH] it has changed since it was verified
     */
    public byte[] read(Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (!unchanged(file, Manifest.sum(bytes))) {
                throw changed(file);
            }
            return bytes;
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "The file can't be read", file.toString(), "", error);
        }
    }

    /**
     * The values of a JSON file; of a verified package, those that were compared.
     *
     * @param file a path from {@link #inside}
     * @throws ModelException [MANIFEST_MISMATCH] it has changed since it was verified; [INVALID_PACKAGE] it is missing,
     *     too large or not JSON
     */
    public Object readJson(Path file) {
        String text = Json.text(file, limits.jsonBytes());
        if (!unchanged(file, Manifest.sum(text.getBytes(StandardCharsets.UTF_8)))) {
            throw changed(file);
        }
        return Json.of(text, file);
    }

    private boolean unchanged(Path file, String sum) {
        String name = root.toAbsolutePath()
                .normalize()
                .relativize(file.toAbsolutePath().normalize())
                .toString();
        return sums.isEmpty()
                || sum.equals(sums.get(name.replace(file.getFileSystem().getSeparator(), "/")));
    }

    private static ModelException changed(Path file) {
        return new ModelException(
                "MANIFEST_MISMATCH",
                "The file was changed while it was loaded",
                file.toString(),
                "fetch the package again");
    }
}
