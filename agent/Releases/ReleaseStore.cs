using System.Collections.Concurrent;
using Decant.Agent.Configuration;
using Decant.Agent.Operations;
using Decant.Agent.State;
using Decant.Errors;
using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>
/// The releases of this host. A release is a directory that appeared by one rename and describes itself; there is no other record,
/// so a crash at any point leaves either a release or something with a dot before its name, which <see cref="CleanUp"/> deletes.
/// </summary>
internal sealed partial class ReleaseStore(
    ReleaseDirectories directories,
    ReleaseUploads uploads,
    HostLimits limits,
    DiskSpace disk,
    IReleaseUse use,
    TimeProvider time,
    ILogger<ReleaseStore> logger)
{
    private readonly KeyedLock changing = new();
    private readonly ConcurrentDictionary<string, string> unknown = new(StringComparer.Ordinal);

    /// <summary>What this host runs; a release that includes ERTS must be built for it.</summary>
    public ElfHeader Host { get; init; } = ElfHeader.OfThisHost;

    /// <summary>Unpacks an uploaded archive, checks it, and makes the release visible.</summary>
    /// <param name="app">The app, as announced.</param>
    /// <param name="id">Version and digest, as announced.</param>
    /// <param name="message">Told how it gets on.</param>
    /// <param name="cancellation">Leaves nothing behind but the archive.</param>
    /// <exception cref="OperatorException">
    /// As listed at Stage in releases.proto. Nothing is left of what was unpacked; the archive is kept unless it is what is wrong.
    /// </exception>
    public async Task<Staged> StageAsync(AppName app, ReleaseId id, Action<string> message, CancellationToken cancellation)
    {
        using var turn = await changing.AcquireAsync($"{app}/{id.Digest}", cancellation);
        if (ListOf(app).FirstOrDefault(r => r.Id.Digest == id.Digest) is { } known)
        {
            if (known.Id.Version != id.Version) throw ReleaseErrors.WrongVersion(id.Version, known.Id.Version.Value);
            uploads.Delete(app, id.Digest);
            return new Staged(known.Id, known.UnpackedBytes, known.Entries, Unchanged: true);
        }

        var (offset, complete) = uploads.Find(app, id.Digest);
        if (!complete) throw ReleaseErrors.UploadIncomplete(id, offset);
        try
        {
            disk.Need(directories.Releases, DiskSpace.ExpectedTreeBytes(offset), $"unpacking release {id} of {app}");
            message($"unpacking {offset} bytes");
            var staged = await LowPriority.RunAsync(() => Publish(app, id, cancellation));
            message($"staged {staged.Entries} entries, {staged.UnpackedBytes} bytes");
            LogStaged(app, id, staged.Entries, staged.UnpackedBytes, staged.Root);
            uploads.Delete(app, id.Digest);
            return new Staged(id, staged.UnpackedBytes, staged.Entries);
        }
        catch (OperatorException exception) when (exception.Error.IsAboutContent())
        {
            LogRefused(app, id, exception.Error.Reason, exception.Error.Message);
            uploads.Delete(app, id.Digest);
            throw;
        }
    }

    /// <summary>Releases of an app, or of all, newest first.</summary>
    public IReadOnlyList<StagedRelease> List(AppName? app)
        => [.. (app is null ? Apps().SelectMany(ListOf) : ListOf(app))
            .OrderByDescending(r => r.StagedAt).ThenByDescending(r => r.Id.ToString(), StringComparer.Ordinal)];

    /// <summary>One release; null when it is not staged here.</summary>
    public StagedRelease? TryGet(AppName app, ReleaseId id)
        => ReleaseMetadata.Read(directories.Tree(app, id)).Release is { } found && found.Id == id && found.App == app ? found : null;

    /// <summary>One release by version and, where the version alone does not say which, digest.</summary>
    /// <exception cref="OperatorException">RELEASE_NOT_FOUND or RELEASE_AMBIGUOUS.</exception>
    public StagedRelease Get(AppName app, ReleaseVersion version, Sha256Digest? digest)
    {
        var found = ListOf(app).Where(r => r.Id.Version == version && (digest is null || r.Id.Digest == digest)).ToList();
        return found switch
        {
            [var one] => one,
            [] => throw ReleaseErrors.NotFound(app, digest is null ? version.Value : new ReleaseId(version, digest).ToString()),
            _ => throw ReleaseErrors.Ambiguous(app, version, found.Select(r => r.Id)),
        };
    }

    /// <summary>Deletes one release.</summary>
    /// <exception cref="OperatorException">RELEASE_NOT_FOUND, RELEASE_AMBIGUOUS, RELEASE_IN_USE or RELEASE_LAST_GOOD.</exception>
    public async Task<Done> RemoveAsync(AppName app, ReleaseVersion version, Sha256Digest? digest, CancellationToken cancellation)
    {
        var release = Get(app, version, digest);
        using var turn = await changing.AcquireAsync($"{app}/{release.Id.Digest}", cancellation);
        release = Get(app, version, release.Id.Digest);
        if (SlotsOf(release) is { Count: > 0 } slots) throw ReleaseErrors.InUse(app, release.Id, slots);
        if (use.LastGood(app) == release.Id) throw ReleaseErrors.LastGood(app, release.Id);
        await Task.Run(() => Delete(release), CancellationToken.None);
        return new Done();
    }

    /// <summary>Deletes all but the newest releases; never one in use or the last good one.</summary>
    /// <param name="app">The app.</param>
    /// <param name="keep">How many of the newest stay, at least 1.</param>
    /// <param name="message">Told of each release.</param>
    /// <param name="cancellation">Looked at between two releases.</param>
    public async Task<Pruned> PruneAsync(AppName app, int keep, Action<string> message, CancellationToken cancellation)
    {
        var removed = new List<ReleaseId>();
        var kept = new List<string>();
        // Oldest first. The newest are never candidates, whatever older ones have to stay: one of them may be staged for a deployment.
        foreach (var release in List(app).Skip(keep).Reverse())
        {
            try
            {
                await RemoveAsync(app, release.Id.Version, release.Id.Digest, cancellation);
                removed.Add(release.Id);
                message($"removed {release.Id}");
            }
            catch (OperatorException exception) when (exception.Error.Reason is "RELEASE_IN_USE" or "RELEASE_LAST_GOOD")
            {
                kept.Add(exception.Error.Message);
                message($"kept: {exception.Error.Message}");
            }
        }

        return new Pruned(removed, kept);
    }

    /// <summary>Slots that run a release or are meant to.</summary>
    public IReadOnlyList<SlotName> SlotsOf(StagedRelease release)
        => [.. use.InUse(release.App)
            .Where(u => u.Release == release.Id).Select(u => u.Slot).Distinct().OrderBy(s => s.Value, StringComparer.Ordinal)];

    /// <summary>Deletes what a crash left half made or half deleted. For the agent's start, before anything is staged.</summary>
    public void CleanUp()
    {
        uploads.DeleteStale();
        if (!Directory.Exists(directories.Releases)) return;
        foreach (var app in Directory.GetDirectories(directories.Releases))
        {
            foreach (var path in Directory.GetDirectories(app))
            {
                var name = Path.GetFileName(path);
                if (name.StartsWith(ReleaseDirectories.StagingPrefix, StringComparison.Ordinal)
                    || name.StartsWith(ReleaseDirectories.RemovingPrefix, StringComparison.Ordinal))
                {
                    LogLeftover(path);
                    TryDelete(path);
                }
            }

            directories.DeleteWhenEmpty(app);
        }

        // Staged, but the crash came before the archive was deleted.
        foreach (var release in List(null)) uploads.Delete(release.App, release.Id.Digest);
    }

    // One that cannot be deleted takes room, and nothing else: it must not keep the agent from starting.
    private void TryDelete(string path)
    {
        try
        {
            ReleaseDirectories.DeleteTree(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            LogLeftoverStays(path, exception.Message);
        }
    }

    private StagedRelease Publish(AppName app, ReleaseId id, CancellationToken cancellation)
    {
        var target = directories.Tree(app, id);
        if (Path.Exists(target)) throw ReleaseErrors.PathTaken(target);
        var staging = directories.CreateStaging(app);
        try
        {
            var unpacked = ReleaseArchive.Unpack(directories.Archive(app, id.Digest), staging, limits, disk, cancellation);
            var found = ReleaseInspection.Inspect(staging, app, id.Version, Host);
            var release = new StagedRelease(
                app, id, target, found.ErtsVersion, found.IncludesErts, unpacked.Bytes, unpacked.Entries, time.GetUtcNow());
            ReleaseMetadata.Of(release).Write(staging);
            File.SetUnixFileMode(staging, ReadOnlyDirectory);
            DirectorySync.FlushFileSystem(staging);
            cancellation.ThrowIfCancellationRequested();
            Directory.Move(staging, target);
            DirectorySync.FlushEntries(directories.Of(app));
            return release;
        }
        catch (IOException exception) when (exception.IsDiskFull())
        {
            throw ReleaseErrors.DiskFull($"no space left while release {id} of {app} was unpacked; what was unpacked is deleted, the archive is kept", exception);
        }
        finally
        {
            ReleaseDirectories.DeleteTree(staging);
            directories.DeleteWhenEmpty(directories.Of(app));
        }
    }

    private const UnixFileMode ReadOnlyDirectory = UnixFileMode.UserRead | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private void Delete(StagedRelease release)
    {
        var removing = Path.Combine(directories.Of(release.App), $"{ReleaseDirectories.RemovingPrefix}{Guid.NewGuid():N}");
        Directory.Move(release.Root, removing);
        DirectorySync.FlushEntries(directories.Of(release.App));
        ReleaseDirectories.DeleteTree(removing);
        directories.DeleteWhenEmpty(directories.Of(release.App));
        LogRemoved(release.App, release.Id);
    }

    private IEnumerable<AppName> Apps()
    {
        if (!Directory.Exists(directories.Releases)) yield break;
        foreach (var path in Directory.EnumerateDirectories(directories.Releases))
        {
            if (AppName.TryParse(Path.GetFileName(path), out var app, out _)) yield return app;
        }
    }

    private List<StagedRelease> ListOf(AppName app)
    {
        var releases = new List<StagedRelease>();
        foreach (var path in directories.TreesOf(app))
        {
            var (release, why) = ReleaseMetadata.Read(path);
            if (release is not null && release.App == app) releases.Add(release);
            // Gone between the two looks: somebody removed it.
            else if (Directory.Exists(path) && unknown.TryAdd(path, why)) LogUnknown(path, why);
        }

        return releases;
    }

    [LoggerMessage(210, LogLevel.Information, "Staged {Release} of {App}: {Entries} entries, {Bytes} bytes in {Root}")]
    private partial void LogStaged(AppName app, ReleaseId release, int entries, long bytes, string root);

    [LoggerMessage(211, LogLevel.Warning, "Refused {Release} of {App}: {Reason}: {Why}")]
    private partial void LogRefused(AppName app, ReleaseId release, string reason, string why);

    [LoggerMessage(212, LogLevel.Information, "Removed {Release} of {App}")]
    private partial void LogRemoved(AppName app, ReleaseId release);

    [LoggerMessage(213, LogLevel.Information, "Deleting what an interrupted stage or removal left: {Path}")]
    private partial void LogLeftover(string path);

    [LoggerMessage(215, LogLevel.Warning, "{Path} cannot be deleted: {Why}")]
    private partial void LogLeftoverStays(string path, string why);

    [LoggerMessage(214, LogLevel.Warning, "{Path} is not a release that this agent staged and is passed over: {Why}")]
    private partial void LogUnknown(string path, string why);
}
