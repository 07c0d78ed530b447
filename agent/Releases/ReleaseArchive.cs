using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using Decant.Agent.Configuration;
using Decant.Archives;
using Decant.Errors;

namespace Decant.Agent.Releases;

/// <summary>A release's <c>.tar.gz</c>, unpacked as if it came from an enemy.</summary>
internal static class ReleaseArchive
{
    private const int BufferSize = 256 << 10;

    private const UnixFileMode AnyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode AnyRead = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    /// <summary>What was unpacked.</summary>
    /// <param name="Bytes">Size of all files.</param>
    /// <param name="Entries">Files, directories and links.</param>
    public readonly record struct Unpacked(long Bytes, int Entries);

    /// <summary>Unpacks an archive and makes the tree read-only.</summary>
    /// <param name="archive">The <c>.tar.gz</c>.</param>
    /// <param name="root">An empty directory that nobody else can write to.</param>
    /// <param name="limits">How much it may unpack to.</param>
    /// <param name="disk">Asked again and again while it unpacks: how large it will be is not known before.</param>
    /// <param name="cancellation">Looked at between pieces of a file.</param>
    /// <exception cref="OperatorException">ARCHIVE_UNSAFE, ARCHIVE_CORRUPT, ARCHIVE_TOO_LARGE or DISK_FULL; the tree may be there in part.</exception>
    public static Unpacked Unpack(
        string archive, string root, HostLimits limits, DiskSpace disk, CancellationToken cancellation)
    {
        using var file = new FileStream(archive, new FileStreamOptions { Options = FileOptions.SequentialScan, BufferSize = 0 });
        using var gzip = new GZipStream(file, CompressionMode.Decompress);
        var buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
        try
        {
            var budget = new UnpackBudget(limits, file.Length, () => disk.Need(root, 0, "unpacking"));
            var tar = new TarArchive(gzip, count => budget.SpendBytes(count));
            var unpacked = new Unpacking(root, limits, budget, buffer).Run(tar, cancellation);
            CheckEnd(file, tar.Position);
            return unpacked;
        }
        catch (InvalidDataException exception)
        {
            throw ReleaseErrors.Corrupt(exception.Message, exception);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // GZipStream takes a stream that is cut in its last eight bytes, or followed by anything, for whole. The last four bytes say how much
    // was packed (RFC 1952, ISIZE); they do not when there is a second member, which no tool that packs releases writes.
    private static void CheckEnd(FileStream file, long unpacked)
    {
        Span<byte> size = stackalloc byte[4];
        if (RandomAccess.Read(file.SafeFileHandle, size, Math.Max(0, file.Length - size.Length)) < size.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(size) != (uint)unpacked)
            throw new InvalidDataException("the gzip data is truncated, or there is something after its end");
    }

    private sealed class Unpacking(string root, HostLimits limits, UnpackBudget budget, byte[] buffer)
    {
        private readonly ArchiveTree tree = new();
        private long bytes;

        public Unpacked Run(TarArchive archive, CancellationToken cancellation)
        {
            while (archive.Next() is { } entry)
            {
                cancellation.ThrowIfCancellationRequested();
                Add(entry, archive, cancellation);
            }

            // Links come last: until then nothing written can go through one.
            tree.CheckLinks();
            foreach (var (path, target) in tree.Links) File.CreateSymbolicLink(Full(path), target);
            foreach (var path in tree.Directories.Reverse()) File.SetUnixFileMode(Full(path), AnyRead | AnyExecute);
            return new Unpacked(bytes, tree.Count);
        }

        private void Add(TarHeader entry, TarArchive archive, CancellationToken cancellation)
        {
            budget.Announce(entry.Name, entry.Size);
            RefuseSetIdBits(entry);
            var path = ArchiveTree.PathOf(entry.Name);
            // Before POSIX a directory was a file with a slash at the end.
            var type = entry.Type == '0' && entry.Name.EndsWith('/') ? '5' : entry.Type;
            if (entry.Size > 0 && type is ('1' or '2' or '5')) throw ReleaseErrors.Unsafe(entry.Name, "has data, but is not a file");
            switch (type)
            {
                case '0':
                    Make(tree.AddFile(path));
                    Write(path, entry, archive, cancellation);
                    break;
                case '5':
                    Make(tree.AddDirectory(path));
                    break;
                case '2':
                    Make(tree.AddLink(path, entry.LinkTarget));
                    break;
                case '1':
                    var target = tree.HardLinkTarget(path, entry.LinkTarget);
                    Make(tree.AddFile(path));
                    Copy(target, path);
                    break;
                default:
                    throw ReleaseErrors.Unsafe(entry.Name, $"is {Kind(entry.Type)}; only files, directories and links inside the release are allowed");
            }
        }

        private void Write(string path, TarHeader entry, TarArchive archive, CancellationToken cancellation)
        {
            // CreateNew does not follow a link (open(2), O_EXCL).
            using var file = File.OpenHandle(Full(path), FileMode.CreateNew, FileAccess.Write, FileShare.Read);
            for (long offset = 0; offset < entry.Size;)
            {
                cancellation.ThrowIfCancellationRequested();
                var count = archive.Read(buffer);
                RandomAccess.Write(file, buffer.AsSpan(0, count), offset);
                offset += count;
            }

            bytes += entry.Size;
            File.SetUnixFileMode(file, ModeOf(path, entry.Mode));
        }

        // A hard link becomes a copy: its size counts, and removing one release never depends on what links where.
        private void Copy(string from, string to)
        {
            var size = new FileInfo(Full(from)).Length;
            budget.SpendBytes(size);
            File.Copy(Full(from), Full(to));
            File.SetUnixFileMode(Full(to), ModeOf(to, (int)File.GetUnixFileMode(Full(from))));
            bytes += size;
        }

        private void Make(IReadOnlyList<string> directories)
        {
            foreach (var directory in directories) Directory.CreateDirectory(Full(directory));
            if (tree.Count > limits.Entries)
                throw ReleaseErrors.TooLarge($"the archive has more than {limits.Entries} files and directories");
        }

        private string Full(string path) => Path.Combine(root, path);

        private static UnixFileMode ModeOf(string path, int mode)
        {
            if (path == "releases/COOKIE") return UnixFileMode.UserRead;
            return ((UnixFileMode)mode & AnyExecute) != 0 ? AnyRead | AnyExecute : AnyRead;
        }

        private static void RefuseSetIdBits(TarHeader entry)
        {
            var mode = (UnixFileMode)entry.Mode;
            if (mode.HasFlag(UnixFileMode.SetUser)) throw ReleaseErrors.Unsafe(entry.Name, "has the set-user-id bit");
            if (mode.HasFlag(UnixFileMode.SetGroup)) throw ReleaseErrors.Unsafe(entry.Name, "has the set-group-id bit");
            if (mode.HasFlag(UnixFileMode.StickyBit)) throw ReleaseErrors.Unsafe(entry.Name, "has the sticky bit");
        }

        private static string Kind(char type) => type switch
        {
            '3' => "a character device",
            '4' => "a block device",
            '6' => "a fifo",
            'S' => "a sparse file",
            _ => $"of the unknown type '{(char.IsAsciiLetterOrDigit(type) ? type : '?')}'",
        };
    }
}
