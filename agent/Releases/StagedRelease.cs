using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>A release on this host: unpacked, checked, read-only.</summary>
/// <param name="App">The app; also the name of its script in <c>bin/</c>.</param>
/// <param name="Id">Version and digest.</param>
/// <param name="Root">Absolute path of its tree.</param>
/// <param name="ErtsVersion">From <c>releases/start_erl.data</c>.</param>
/// <param name="IncludesErts">False: it uses the Erlang installed on the host.</param>
/// <param name="UnpackedBytes">Size of the tree.</param>
/// <param name="Entries">Files, directories and links in it.</param>
/// <param name="StagedAt">When it became visible.</param>
internal sealed record StagedRelease(
    AppName App, ReleaseId Id, string Root, string ErtsVersion, bool IncludesErts, long UnpackedBytes, int Entries, DateTimeOffset StagedAt)
{
    /// <summary>The release's own script, <c>bin/app</c>.</summary>
    public string Script => Path.Combine(Root, "bin", App.Value);
}
