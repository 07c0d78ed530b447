using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using Decant.Archives;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Fleet;

/// <summary>Hashes an archive and finds out what release it is, in one pass over the file.</summary>
internal static class ArchiveReader
{
    private const string StartErlData = "releases/start_erl.data";
    private const int LongestStartErlData = 4096;

    /// <summary>A release has a handful.</summary>
    private const int MostNames = 1000;

    /// <summary>Reads the archive.</summary>
    /// <exception cref="OperatorException">ARCHIVE_NOT_FOUND, ARCHIVE_CORRUPT or NOT_A_RELEASE.</exception>
    public static async Task<ArchiveFile> ReadAsync(string path, CancellationToken cancellation)
    {
        path = System.IO.Path.GetFullPath(path);
        await using var file = Open(path);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await using var hashed = new HashingStream(file, hash);
        var contents = await Task.Run(() => LookInto(path, hashed, cancellation), cancellation);
        // What stands behind the end of the tar (padding) belongs to the digest as well.
        await hashed.CopyToAsync(Stream.Null, cancellation);
        var digest = Sha256Digest.FromHash(hash.GetHashAndReset());

        if (contents.StartErl is not { } startErl) throw Refused(path, $"it has no {StartErlData}");
        var words = startErl.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        if (words.Length != 2 || !ReleaseVersion.TryParse(words[0], out _, out _) || !ReleaseVersion.TryParse(words[1], out var version, out _))
            throw Refused(path, $"its {StartErlData} is not \"<erts version> <release version>\"");
        return new ArchiveFile(
            path, file.Length, NameOf(path, contents), new ReleaseId(version, digest), words[0], contents.IncludesErts);
    }

    private static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, new FileStreamOptions
            {
                Options = FileOptions.Asynchronous | FileOptions.SequentialScan,
                BufferSize = 256 * 1024,
            });
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException(
                new OperatorError(StatusCode.NotFound, "ARCHIVE_NOT_FOUND", $"cannot read {path}: {exception.Message}", "name the .tar.gz that `mix release` made"),
                exception);
        }
    }

    /// <summary>Read as strictly as the agents do, which would refuse what is not.</summary>
    private static Contents LookInto(string path, Stream archive, CancellationToken cancellation)
    {
        string? startErl = null;
        var includesErts = false;
        var scripts = new SortedSet<string>(StringComparer.Ordinal);
        var resources = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            using var unzipped = new GZipStream(archive, CompressionMode.Decompress, leaveOpen: true);
            // Whatever it unpacks to is passed over in no more memory than this, for as long as the operator waits.
            var tar = new TarArchive(unzipped, _ => cancellation.ThrowIfCancellationRequested());
            while (tar.Next() is { } entry)
            {
                var name = entry.Name.StartsWith("./", StringComparison.Ordinal) ? entry.Name[2..] : entry.Name;
                if (name == StartErlData) startErl = Text(tar, entry);
                includesErts |= name.StartsWith("erts-", StringComparison.Ordinal);
                if (name.StartsWith("releases/", StringComparison.Ordinal) && name.EndsWith(".rel", StringComparison.Ordinal))
                    resources.Add(System.IO.Path.GetFileNameWithoutExtension(name));
                if (name.StartsWith("bin/", StringComparison.Ordinal) && name.IndexOf('/', 4) < 0 && name.Length > 4 && IsScript(entry) && !name.Any(char.IsControl))
                    scripts.Add(name[4..]);
                if (scripts.Count > MostNames || resources.Count > MostNames) throw Refused(path, $"it has more than {MostNames} programs or .rel files");
            }
        }
        catch (InvalidDataException exception)
        {
            throw new OperatorException(
                new OperatorError(StatusCode.InvalidArgument, "ARCHIVE_CORRUPT", $"{path} is not a whole .tar.gz: {exception.Message}", "build or copy it again"),
                exception);
        }

        return new Contents(startErl, includesErts, scripts, resources);
    }

    private static string Text(TarArchive tar, TarHeader entry)
    {
        if (entry.Size > LongestStartErlData) return "";
        var text = new byte[entry.Size];
        tar.Read(text);
        return Encoding.UTF8.GetString(text);
    }

    private static bool IsScript(TarHeader entry)
        => entry.Type == '0'
            && ((UnixFileMode)entry.Mode).HasFlag(UnixFileMode.UserExecute)
            && !entry.Name.EndsWith(".bat", StringComparison.Ordinal);

    /// <summary>
    /// Phoenix puts more scripts into bin (server, migrate): the release's own is the one that its release resource file
    /// (releases/VERSION/NAME.rel) is named after.
    /// </summary>
    private static string NameOf(string path, Contents contents)
    {
        var named = contents.Scripts.Intersect(contents.Resources, StringComparer.Ordinal).ToList();
        if (named.Count == 0) named = [.. contents.Scripts];
        return named.Count switch
        {
            1 => named[0],
            0 => throw Refused(path, "it has no executable bin/<name>"),
            _ => throw Refused(path, $"none of its executables in bin ({Printable.Line(string.Join(", ", named))}) is alone in having a releases/<version>/<name>.rel"),
        };
    }

    private static OperatorException Refused(string path, string why) => new(new OperatorError(
        StatusCode.InvalidArgument,
        "NOT_A_RELEASE",
        $"{path} is not a release: {why}",
        "build it with `steps: [:assemble, :tar]` in mix.exs and name _build/prod/<name>-<version>.tar.gz"));

    private sealed record Contents(string? StartErl, bool IncludesErts, SortedSet<string> Scripts, SortedSet<string> Resources);
}
