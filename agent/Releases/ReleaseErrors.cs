using System.Globalization;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Agent.Releases;

/// <summary>What can be wrong with releases and their archives, as operators get it (reasons as listed in releases.proto).</summary>
internal static class ReleaseErrors
{
    private const string BuildAgain = "the archive was deleted; build it again and upload it";

    public static OperatorException Corrupt(string what, Exception? cause = null) => Refused(
        StatusCode.InvalidArgument, "ARCHIVE_CORRUPT", what, BuildAgain, cause);

    public static OperatorException Unsafe(string entry, string why) => new(
        new OperatorError(StatusCode.InvalidArgument, "ARCHIVE_UNSAFE", $"refused: entry {Shown(entry)} {why}", BuildAgain)
            .With("entry", Shown(entry)));

    public static OperatorException TooLarge(string what) => Refused(
        StatusCode.ResourceExhausted, "ARCHIVE_TOO_LARGE", what, "make the release smaller, or raise the limit in agent.yml");

    public static OperatorException NotARelease(string what) => Refused(
        StatusCode.InvalidArgument, "NOT_A_RELEASE", what, "pack what `mix release` made: its bin/, lib/ and releases/ at the top of the archive");

    public static OperatorException WrongApp(AppName app, IReadOnlyList<string> scripts) => new(
        new OperatorError(
            StatusCode.InvalidArgument,
            "APP_MISMATCH",
            $"the archive has no script bin/{app}; it has {string.Join(", ", scripts.Select(s => $"bin/{Shown(s)}"))}",
            "deploy it under the name that its release has in mix.exs").With("app", app.Value));

    public static OperatorException WrongVersion(ReleaseVersion announced, string actual) => new(
        new OperatorError(
            StatusCode.InvalidArgument,
            "VERSION_MISMATCH",
            $"announced as version {announced}, but the archive holds version {Shown(actual)}",
            "announce the version that releases/start_erl.data names").With("expected", announced.Value).With("actual", Shown(actual)));

    public static OperatorException WrongArchitecture(string what) => Refused(
        StatusCode.FailedPrecondition,
        "WRONG_ARCHITECTURE",
        what,
        "build the release for this host's architecture, or without ERTS (include_erts: false)");

    public static OperatorException WrongDigest(Sha256Digest expected, Sha256Digest actual) => new(
        new OperatorError(
            StatusCode.InvalidArgument,
            "DIGEST_MISMATCH",
            $"the bytes received have SHA-256 {actual}, announced was {expected}; they were discarded",
            "check that the file did not change while it was sent, and upload it again").With("expected", expected.Value).With("actual", actual.Value));

    public static OperatorException UploadInProgress(Sha256Digest digest) => Refused(
        StatusCode.Aborted,
        "UPLOAD_IN_PROGRESS",
        $"somebody else is uploading {digest.Prefix} just now",
        "wait until that upload ends, then ask GetUpload");

    public static OperatorException WrongOffset(long sent, long expected) => new(
        new OperatorError(
            StatusCode.InvalidArgument,
            "OFFSET_MISMATCH",
            $"the upload begins at byte {sent}, but {expected} bytes are safely here",
            "ask GetUpload and send from its offset").With("offset", expected.ToString(CultureInfo.InvariantCulture)));

    public static OperatorException MoreThanAnnounced(long totalBytes) => new(OperatorError.BadRequest(
        [new FieldError("header.total_bytes", $"announced are {totalBytes} bytes, but there are more")]));

    public static OperatorException UploadIncomplete(ReleaseId release, long offset) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "UPLOAD_INCOMPLETE",
            $"the archive of {release} is not here whole: {offset} bytes are",
            "ask GetUpload, upload the rest, and stage again").With("offset", offset.ToString(CultureInfo.InvariantCulture)));

    public static OperatorException TooManyUploads(int most) => Refused(
        StatusCode.ResourceExhausted, "TOO_MANY_UPLOADS", $"{most} uploads are being received on this host already", "wait until one has ended, then go on");

    public static OperatorException DiskFull(string what, Exception? cause = null) => Refused(
        StatusCode.ResourceExhausted, "DISK_FULL", what, "prune old releases or free space, then try again", cause);

    public static OperatorException NotFound(AppName app, string release) => new(
        new OperatorError(
            StatusCode.NotFound, "RELEASE_NOT_FOUND", $"no release {release} of {app} is staged on this host", "ListReleases shows those that are")
            .With("app", app.Value));

    public static OperatorException Ambiguous(AppName app, ReleaseVersion version, IEnumerable<ReleaseId> candidates) => new(
        new OperatorError(
            StatusCode.InvalidArgument,
            "RELEASE_AMBIGUOUS",
            $"version {version} of {app} is staged more than once: {string.Join(", ", candidates.Select(c => c.Digest.Prefix))}",
            "name the digest too").With("app", app.Value));

    public static OperatorException InUse(AppName app, ReleaseId release, IEnumerable<SlotName> slots) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "RELEASE_IN_USE",
            $"release {release} of {app} is in use by slot {string.Join(", ", slots)}",
            "deploy another release or stop the slot first").With("app", app.Value).With("slot", string.Join(",", slots)));

    public static OperatorException LastGood(AppName app, ReleaseId release) => new(
        new OperatorError(
            StatusCode.FailedPrecondition,
            "RELEASE_LAST_GOOD",
            $"release {release} of {app} is what a rollback on this host would go to",
            "deploy a newer release successfully first").With("app", app.Value));

    public static OperatorException PathTaken(string path) => Refused(
        StatusCode.FailedPrecondition,
        "RELEASE_PATH_TAKEN",
        $"{path} exists but is not a release that this agent staged",
        "move it away and stage again");

    /// <summary>Whether the archive itself is what is wrong, so that keeping it would be of no use.</summary>
    public static bool IsAboutContent(this OperatorError error) => error.Reason
        is "ARCHIVE_CORRUPT" or "ARCHIVE_UNSAFE" or "ARCHIVE_TOO_LARGE" or "NOT_A_RELEASE" or "APP_MISMATCH" or "VERSION_MISMATCH"
        or "WRONG_ARCHITECTURE";

    /// <summary>A name from an archive as it may be shown: without what would change the terminal, and not endless.</summary>
    public static string Shown(string name) => Printable.Line(name);

    private static OperatorException Refused(StatusCode code, string reason, string what, string next, Exception? cause = null)
        => new(new OperatorError(code, reason, what, next), cause);
}
