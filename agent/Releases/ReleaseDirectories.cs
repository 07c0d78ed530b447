using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>
/// Where things are below the agent's data directory: <c>uploads/app/digest.part</c> and <c>.tar.gz</c>, <c>releases/app/version-digest/</c>.
/// Names that begin with a dot are not (or no longer) releases.
/// </summary>
internal sealed class ReleaseDirectories
{
    /// <summary>Begins the name of a tree that is being unpacked.</summary>
    public const string StagingPrefix = ".staging-";

    /// <summary>Begins the name of a tree that is being deleted.</summary>
    public const string RemovingPrefix = ".removing-";

    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly Lock gate = new();

    /// <summary>Uses a data directory; it is made when it is needed.</summary>
    /// <param name="data">Absolute path.</param>
    public ReleaseDirectories(string data)
    {
        Uploads = Path.Combine(data, "uploads");
        Releases = Path.Combine(data, "releases");
    }

    /// <summary>Holds a directory of uploads for each app.</summary>
    public string Uploads { get; }

    /// <summary>Holds a directory of releases for each app.</summary>
    public string Releases { get; }

    /// <summary>Bytes of an archive received so far.</summary>
    public string Partial(AppName app, Sha256Digest digest) => Path.Combine(Uploads, app.Value, $"{digest}.part");

    /// <summary>An archive received whole and verified.</summary>
    public string Archive(AppName app, Sha256Digest digest) => Path.Combine(Uploads, app.Value, $"{digest}.tar.gz");

    /// <summary>Releases of one app.</summary>
    public string Of(AppName app) => Path.Combine(Releases, app.Value);

    /// <summary>The tree of one release.</summary>
    public string Tree(AppName app, ReleaseId id) => Path.Combine(Of(app), id.ToString());

    /// <summary>Trees of an app that are not hidden.</summary>
    public IReadOnlyList<string> TreesOf(AppName app)
    {
        lock (gate)
        {
            return Directory.Exists(Of(app)) ? [.. Directory.EnumerateDirectories(Of(app)).Where(d => !Path.GetFileName(d).StartsWith('.'))] : [];
        }
    }

    /// <summary>Opens a partial upload in a directory that may not be there yet; nobody deletes the directory in between.</summary>
    public Microsoft.Win32.SafeHandles.SafeFileHandle OpenPartial(string path)
    {
        lock (gate)
        {
            // Archives hold cookies, and perhaps more that is secret.
            Directory.CreateDirectory(Uploads, OwnerOnly);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!, OwnerOnly);
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        }
    }

    /// <summary>Makes an empty private directory for a tree that is being unpacked.</summary>
    public string CreateStaging(AppName app)
    {
        lock (gate)
        {
            Directory.CreateDirectory(Of(app));
            var path = Path.Combine(Of(app), $"{StagingPrefix}{Guid.NewGuid():N}");
            Directory.CreateDirectory(path, OwnerOnly);
            return path;
        }
    }

    /// <summary>Deletes an app's directory when there is nothing in it.</summary>
    public void DeleteWhenEmpty(string directory)
    {
        lock (gate)
        {
            if (Directory.Exists(directory) && !Directory.EnumerateFileSystemEntries(directory).Any()) Directory.Delete(directory);
        }
    }

    /// <summary>Deletes a tree, also a read-only one.</summary>
    public static void DeleteTree(string root)
    {
        if (!Directory.Exists(root)) return;
        // Whoever is not root may delete from a directory only what its mode allows.
        Writable(root);
        var all = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint, IgnoreInaccessible = false };
        if (!Environment.IsPrivilegedProcess)
        {
            foreach (var directory in Directory.EnumerateDirectories(root, "*", all)) Writable(directory);
        }

        Directory.Delete(root, recursive: true);
    }

    private static void Writable(string directory) => File.SetUnixFileMode(directory, OwnerOnly);
}
