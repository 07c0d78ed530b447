using Decant.Names;

namespace Decant.Controller.Fleet;

/// <summary>A release's archive on the operator's disk, as <c>mix release</c> makes it with <c>:tar</c>; hashed and looked into.</summary>
/// <param name="Path">Absolute path.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Name">The release's name: its <c>bin/&lt;name&gt;</c> script.</param>
/// <param name="Release">Version as <c>releases/start_erl.data</c> has it, and the archive's SHA-256.</param>
/// <param name="ErtsVersion">As <c>releases/start_erl.data</c> has it.</param>
/// <param name="IncludesErts">It brings its own Erlang.</param>
internal sealed record ArchiveFile(string Path, long Size, string Name, ReleaseId Release, string ErtsVersion, bool IncludesErts)
{
    /// <summary>Reads an archive once from end to end.</summary>
    /// <exception cref="Errors.OperatorException">It is not there, or not a release: ARCHIVE_NOT_FOUND, ARCHIVE_CORRUPT, NOT_A_RELEASE.</exception>
    public static Task<ArchiveFile> ReadAsync(string path, CancellationToken cancellation) => ArchiveReader.ReadAsync(path, cancellation);
}
