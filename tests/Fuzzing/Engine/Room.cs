namespace Decant.Fuzzing.Engine;

/// <summary>A directory for a target that works on files, in memory where the system has that.</summary>
internal sealed class Room : IDisposable
{
    /// <summary>Makes it.</summary>
    public Room()
    {
        var parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        Root = Path.Combine(parent, $"decant-fuzz-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Root);
    }

    /// <summary>Its path.</summary>
    public string Root { get; }

    /// <summary>A path in it.</summary>
    public string this[string name] => Path.Combine(Root, name);

    /// <inheritdoc/>
    public void Dispose() => Empty(Root, itself: true);

    /// <summary>Deletes what is in a directory; read-only directories too, for whoever is not root.</summary>
    public static void Empty(string directory, bool itself = false)
    {
        if (!Directory.Exists(directory)) return;
        if (!Environment.IsPrivilegedProcess)
        {
            var rights = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            File.SetUnixFileMode(directory, rights);
            foreach (var below in Directory.EnumerateDirectories(directory, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint }))
                File.SetUnixFileMode(below, rights);
        }

        if (itself)
        {
            Directory.Delete(directory, recursive: true);
            return;
        }

        foreach (var entry in new DirectoryInfo(directory).EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo { LinkTarget: null } below) below.Delete(recursive: true);
            else entry.Delete();
        }
    }
}
