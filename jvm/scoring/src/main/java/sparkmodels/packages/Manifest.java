package sparkmodels.packages;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import sparkmodels.errors.ModelException;
import sparkmodels.errors.Names;

/** The sha256 sums of a package's files, and the content hash that is the sum of their list. */
final class Manifest {
    static final String FILE = "manifest.sha256";
    private static final String IGNORED = "__pycache__";
    private static final int SUM_LENGTH = 64;

    /** As the Python package sorts names; Java's own order differs beyond the first 65,536 characters. */
    private static final Comparator<String> BY_BYTES = (one, other) ->
            Arrays.compareUnsigned(one.getBytes(StandardCharsets.UTF_8), other.getBytes(StandardCharsets.UTF_8));

    private Manifest() {}

    /**
     * The sums of a package whose files are those of its manifest, every byte read; where it has none, of the files as
     * they are.
     *
     * @throws ModelException [MANIFEST_MISMATCH] files were changed, added or removed; all of them are named
     */
    static SortedMap<String, String> verify(Path root, Limits limits) {
        SortedMap<String, String> actual = sums(root, limits);
        Path file = root.resolve(FILE);
        if (Files.isSymbolicLink(file)) {
            throw invalid("A link has no place in a package", file.toString());
        }
        if (Files.exists(file)) {
            compare(parse(Json.text(file, limits.jsonBytes()), file.toString()), actual, root.toString());
        }
        return actual;
    }

    /** The content hash of a package with these sums. */
    static String contentHash(SortedMap<String, String> sums) {
        StringBuilder text = new StringBuilder();
        sums.forEach((name, sum) -> text.append(sum).append("  ").append(name).append('\n'));
        return sum(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    static String sum(byte[] bytes) {
        return HexFormat.of().formatHex(sha256().digest(bytes));
    }

    /** Copies a file, and gives the sum of the very bytes that were written. */
    static String copy(Path source, Path target) throws IOException {
        MessageDigest digest = sha256();
        try (InputStream stream = Files.newInputStream(source, LinkOption.NOFOLLOW_LINKS);
                DigestOutputStream file = new DigestOutputStream(Files.newOutputStream(target), digest)) {
            stream.transferTo(file);
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static SortedMap<String, String> parse(String text, String place) {
        SortedMap<String, String> sums = new TreeMap<>(BY_BYTES);
        String body = text.endsWith("\n") ? text.substring(0, text.length() - 1) : text;
        int number = 0;
        for (String line : body.isEmpty() ? new String[0] : body.split("\n", -1)) {
            number++;
            boolean whole = line.length() > SUM_LENGTH + 2 && line.startsWith("  ", SUM_LENGTH);
            String sum = whole ? line.substring(0, SUM_LENGTH) : "";
            if (!sum.matches("[0-9a-f]{64}") || sums.putIfAbsent(line.substring(SUM_LENGTH + 2), sum) != null) {
                throw invalid("Line " + number + " is not '<sha256>  <path>'", place);
            }
        }
        return sums;
    }

    private static void compare(SortedMap<String, String> stated, SortedMap<String, String> actual, String place) {
        TreeSet<String> changed = new TreeSet<>(stated.keySet());
        changed.retainAll(actual.keySet());
        changed.removeIf(name -> stated.get(name).equals(actual.get(name)));
        TreeSet<String> added = new TreeSet<>(actual.keySet());
        added.removeAll(stated.keySet());
        TreeSet<String> removed = new TreeSet<>(stated.keySet());
        removed.removeAll(actual.keySet());
        if (!changed.isEmpty() || !added.isEmpty() || !removed.isEmpty()) {
            throw new ModelException(
                    "MANIFEST_MISMATCH",
                    "Files differ from the manifest: changed %s, added %s, removed %s"
                            .formatted(Names.listed(changed), Names.listed(added), Names.listed(removed)),
                    place,
                    "fetch the package again");
        }
    }

    private static SortedMap<String, String> sums(Path root, Limits limits) {
        SortedMap<String, String> sums = new TreeMap<>(BY_BYTES);
        try {
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult preVisitDirectory(Path folder, BasicFileAttributes attributes) {
                    boolean ignored = folder.getFileName() != null
                            && folder.getFileName().toString().equals(IGNORED);
                    return ignored ? FileVisitResult.SKIP_SUBTREE : FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    String name = root.relativize(file)
                            .toString()
                            .replace(file.getFileSystem().getSeparator(), "/");
                    if (name.equals(FILE)) {
                        return FileVisitResult.CONTINUE;
                    }
                    if (!attributes.isRegularFile()) {
                        throw invalid("A link or device has no place in a package", file.toString());
                    }
                    if (name.chars().anyMatch(character -> character < ' ' || character == '\\')) {
                        throw invalid(
                                "Control characters and backslashes have no place in a file name", root.toString());
                    }
                    if (sums.size() >= limits.files()) {
                        throw invalid("It has more than " + limits.files() + " files", root.toString());
                    }
                    sums.put(name, sum(file));
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException error) {
            throw new ModelException("INVALID_PACKAGE", "Its files can't be read", root.toString(), "", error);
        }
        return sums;
    }

    private static String sum(Path file) throws IOException {
        MessageDigest digest = sha256();
        byte[] buffer = new byte[1 << 16];
        try (InputStream stream = Files.newInputStream(file)) {
            for (int count = stream.read(buffer); count >= 0; count = stream.read(buffer)) {
                digest.update(buffer, 0, count);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException("every Java has SHA-256", error);
        }
    }

    private static ModelException invalid(String what, String place) {
        return new ModelException("INVALID_PACKAGE", what, place);
    }
}
