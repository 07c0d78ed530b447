using System.IO.Compression;
using Decant.Agent.Configuration;
using Decant.Agent.Releases;
using Decant.Errors;
using Decant.Fuzzing.Engine;

namespace Decant.Fuzzing.Targets;

/// <summary>
/// A tar archive, packed and unpacked into a directory: nothing outside of it is made or changed, no link leads out of it, no more of it is
/// there than the limits allow, and what is there is as it was said to be.
/// </summary>
internal class Unpacking : FuzzTarget
{
    /// <summary>So deep that a few ".." lead to a place that is looked at.</summary>
    private const string Deep = "1/2/3/4/5/6/root";

    private static readonly HostLimits Limits = new() { UnpackedBytes = 256 << 10, Entries = 200, Ratio = 100, DiskFloorBytes = 0 };
    private static readonly DiskSpace Disk = new(_ => long.MaxValue, Limits);

    private Room room = null!;
    private string root = "";
    private string archive = "";
    private string before = "";

    public override IEnumerable<byte[]> Seeds => Tar.Seeds;

    public override IReadOnlyList<byte[]> Words => Tar.Words;

    public override long MayAllocate(int length) => (2 << 20) + (300L * length);

    public override byte[] Mutate(byte[] input, Mutation mutation) => Tar.Mutate(input, mutation, Largest);

    public override byte[] Repair(byte[] input) => Tar.Repair(input);

    public override void Open()
    {
        room = new Room();
        (root, archive) = (room[Deep], room["archive.tar.gz"]);
        Directory.CreateDirectory(root);
        foreach (var directory in Parents()) File.WriteAllText(Path.Combine(directory, "x"), "not yours");
        before = Around();
    }

    public override void Close() => room.Dispose();

    public override string Run(byte[] input)
    {
        File.WriteAllBytes(archive, Packed(input));
        try
        {
            var unpacked = ReleaseArchive.Unpack(archive, root, Limits, Disk, CancellationToken.None);
            var (bytes, entries) = LookAt(finished: true);
            Promise(unpacked == new ReleaseArchive.Unpacked(bytes, entries), "what was unpacked is not what is said to be");
            return $"unpacked {Math.Min(entries, 9)}";
        }
        catch (OperatorException refused)
        {
            LookAt(finished: false);
            Promise(refused.Error.Reason is "ARCHIVE_UNSAFE" or "ARCHIVE_CORRUPT" or "ARCHIVE_TOO_LARGE", $"refused with {refused.Error.Reason}");
            Readable(refused.Error.Message);
            return $"{refused.Error.Reason} {refused.Error.Message[^Math.Min(40, refused.Error.Message.Length)..]}";
        }
        finally
        {
            Room.Empty(root);
        }
    }

    /// <summary>As it goes over the wire.</summary>
    protected virtual byte[] Packed(byte[] input)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(input);
        return packed.ToArray();
    }

    private (long Bytes, int Entries) LookAt(bool finished)
    {
        Promise(Around() == before, "something outside of the tree was made or changed");
        long bytes = 0;
        var entries = 0;
        foreach (var entry in Below(new DirectoryInfo(root)))
        {
            entries++;
            if (entry.LinkTarget is { } target)
            {
                Promise(IsInside(Path.GetDirectoryName(entry.FullName)!, target, 0), "a link leads out of the tree");
                continue;
            }

            Promise((entry.UnixFileMode & (UnixFileMode.SetUser | UnixFileMode.SetGroup | UnixFileMode.StickyBit)) == 0, "a set-id or sticky bit is set");
            if (entry is FileInfo file)
            {
                Promise((file.Attributes & FileAttributes.Device) == 0, "a device was made");
                bytes += file.Length;
            }

            Promise(!finished || (entry.UnixFileMode & (UnixFileMode.UserWrite | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite)) == 0, "what is staged can be written");
        }

        Promise(bytes <= Limits.UnpackedBytes, "more was unpacked than may be");
        Promise(entries <= Limits.Entries + 64, "more entries were unpacked than may be");
        return (bytes, entries);
    }

    /// <summary>Everything in a directory; links are not followed.</summary>
    private static IEnumerable<FileSystemInfo> Below(DirectoryInfo directory) => directory.EnumerateFileSystemInfos()
        .SelectMany(e => e is DirectoryInfo { LinkTarget: null } below ? Below(below).Prepend(e) : [e]);

    /// <summary>Follows a link as the kernel does.</summary>
    private bool IsInside(string directory, string target, int followed)
    {
        if (target.StartsWith('/') || followed > 40) return false;
        var place = directory;
        foreach (var part in target.Split('/'))
        {
            if (part is "" or ".") continue;
            if (part == "..")
            {
                if (place == root) return false;
                place = Path.GetDirectoryName(place)!;
                continue;
            }

            var next = Path.Combine(place, part);
            if (new FileInfo(next).LinkTarget is not { } further)
            {
                place = next;
                continue;
            }

            if (!IsInside(place, further, followed + 1)) return false;
            place = Path.GetFullPath(Path.Combine(place, further));
        }

        return true;
    }

    private IEnumerable<string> Parents()
    {
        for (var directory = Path.GetDirectoryName(root)!; directory.StartsWith(room.Root, StringComparison.Ordinal); directory = Path.GetDirectoryName(directory)!) yield return directory;
    }

    /// <summary>Everything that is there and must stay as it is.</summary>
    private string Around() => string.Join('\n', Parents()
        .SelectMany(d => new DirectoryInfo(d).EnumerateFileSystemInfos())
        .Where(e => e.FullName != archive)
        .Select(e => $"{e.FullName} {e.UnixFileMode} {e.LinkTarget} {(e is FileInfo f ? File.ReadAllText(f.FullName) : "")}")
        .Order(StringComparer.Ordinal));
}
