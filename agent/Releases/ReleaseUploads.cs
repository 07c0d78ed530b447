using Decant.Agent.Configuration;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>Archives that are being received or wait to be staged.</summary>
internal sealed partial class ReleaseUploads(
    ReleaseDirectories directories, HostLimits limits, DiskSpace disk, TimeProvider time, ILogger<ReleaseUploads> logger)
{
    /// <summary>Uploads that nobody went on with for this long are deleted when the agent starts.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(7);

    /// <summary>How many may be received at once: each takes a piece or two of memory, and a descriptor.</summary>
    public const int Most = 16;

    private readonly Lock gate = new();
    private readonly Dictionary<(AppName App, Sha256Digest Digest), ReleaseUpload?> active = [];

    /// <summary>How much of an archive is here.</summary>
    /// <param name="Offset">Bytes safely on disk.</param>
    /// <param name="Complete">All of them, and their digest is right.</param>
    public readonly record struct Progress(long Offset, bool Complete);

    /// <summary>Where an upload stopped, or where it is.</summary>
    public Progress Find(AppName app, Sha256Digest digest)
    {
        lock (gate)
        {
            var whole = new FileInfo(directories.Archive(app, digest));
            if (whole.Exists) return new Progress(whole.Length, true);
            return new Progress(active.GetValueOrDefault((app, digest))?.Safe ?? PartialLength(app, digest), false);
        }
    }

    /// <summary>Begins or continues an upload. Nobody else can until it is disposed.</summary>
    /// <param name="app">The app.</param>
    /// <param name="digest">Of the whole archive.</param>
    /// <param name="totalBytes">Its size.</param>
    /// <param name="offset">Of the first byte that will come.</param>
    /// <param name="cancellation">Ends the reading of what is here already.</param>
    /// <exception cref="OperatorException">UPLOAD_IN_PROGRESS, TOO_MANY_UPLOADS, OFFSET_MISMATCH, ARCHIVE_TOO_LARGE or DISK_FULL.</exception>
    public async Task<ReleaseUpload> BeginAsync(
        AppName app, Sha256Digest digest, long totalBytes, long offset, CancellationToken cancellation)
    {
        if (totalBytes > limits.ArchiveBytes)
            throw ReleaseErrors.TooLarge($"the archive has {totalBytes} bytes; {limits.ArchiveBytes} are allowed");
        lock (gate)
        {
            if (active.ContainsKey((app, digest))) throw ReleaseErrors.UploadInProgress(digest);
            if (active.Count >= Most) throw ReleaseErrors.TooManyUploads(Most);
            active.Add((app, digest), null);
        }

        try
        {
            var here = PartialLength(app, digest);
            if (offset != here) throw ReleaseErrors.WrongOffset(offset, here);
            if (here > totalBytes) throw ReleaseErrors.MoreThanAnnounced(totalBytes);
            disk.Need(directories.Uploads, totalBytes - here + DiskSpace.ExpectedTreeBytes(totalBytes), $"release {digest.Prefix} of {app}");
            var file = directories.OpenPartial(directories.Partial(app, digest));
            try
            {
                var upload = await ReleaseUpload.OpenAsync(this, app, digest, totalBytes, file, cancellation);
                lock (gate) active[(app, digest)] = upload;
                return upload;
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }
        catch
        {
            lock (gate) active.Remove((app, digest));
            directories.DeleteWhenEmpty(Path.GetDirectoryName(directories.Partial(app, digest))!);
            throw;
        }
    }

    /// <summary>Deletes an archive that was staged or refused.</summary>
    public void Delete(AppName app, Sha256Digest digest)
    {
        var archive = new FileInfo(directories.Archive(app, digest));
        if (archive.Exists) archive.Delete();
        directories.DeleteWhenEmpty(archive.DirectoryName!);
    }

    /// <summary>Deletes uploads that nobody went on with for long. For the agent's start, before anything uploads.</summary>
    public void DeleteStale()
    {
        if (!Directory.Exists(directories.Uploads)) return;
        var oldest = time.GetUtcNow() - KeptFor;
        foreach (var directory in new DirectoryInfo(directories.Uploads).EnumerateDirectories())
        {
            foreach (var file in directory.EnumerateFiles().Where(f => f.LastWriteTimeUtc < oldest.UtcDateTime))
            {
                LogStale(file.Name, directory.Name, file.LastWriteTimeUtc);
                file.Delete();
            }

            directories.DeleteWhenEmpty(directory.FullName);
        }
    }

    /// <summary>An upload is whole and verified: one rename, and it is an archive.</summary>
    internal void Publish(ReleaseUpload upload)
    {
        var archive = directories.Archive(upload.App, upload.Digest);
        lock (gate) File.Move(directories.Partial(upload.App, upload.Digest), archive, overwrite: true);
        DirectorySync.FlushEntries(Path.GetDirectoryName(archive)!);
        LogComplete(upload.Digest.Prefix, upload.App, upload.TotalBytes);
    }

    /// <summary>An upload is of no use.</summary>
    internal void Discard(ReleaseUpload upload, string why)
    {
        LogDiscarded(upload.Digest.Prefix, upload.App, why);
        File.Delete(directories.Partial(upload.App, upload.Digest));
    }

    /// <summary>The writer is gone; the next may come.</summary>
    internal void Release(ReleaseUpload upload)
    {
        lock (gate)
        {
            if (!active.Remove((upload.App, upload.Digest))) return;
            var partial = new FileInfo(directories.Partial(upload.App, upload.Digest));
            if (partial is { Exists: true, Length: 0 }) partial.Delete();
            directories.DeleteWhenEmpty(partial.DirectoryName!);
        }
    }

    // The file's length can be trusted: an upload that ends in order flushes, a process that is killed leaves its writes to the kernel,
    // and a file system that loses power does not lengthen a file before the bytes are there (ext4 and XFS; the file is never
    // preallocated). Were it wrong all the same, the digest would tell.
    private long PartialLength(AppName app, Sha256Digest digest)
    {
        var partial = new FileInfo(directories.Partial(app, digest));
        return partial.Exists ? partial.Length : 0;
    }

    [LoggerMessage(200, LogLevel.Information, "Upload of {Digest} of {App} is complete: {Bytes} bytes")]
    private partial void LogComplete(string digest, AppName app, long bytes);

    [LoggerMessage(201, LogLevel.Warning, "Upload of {Digest} of {App} was discarded: {Why}")]
    private partial void LogDiscarded(string digest, AppName app, string why);

    [LoggerMessage(202, LogLevel.Information, "Deleted stale upload {File} of {App}: last written at {LastWritten:u}")]
    private partial void LogStale(string file, string app, DateTime lastWritten);
}
