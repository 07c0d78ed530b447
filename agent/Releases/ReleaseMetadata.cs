using System.Text.Json;
using System.Text.Json.Serialization;
using Decant.Names;

namespace Decant.Agent.Releases;

/// <summary>
/// What the agent knows of a staged release, written into its tree before the rename that publishes both, so that the directory alone
/// tells everything: there is no second place to get out of step with.
/// </summary>
internal sealed record ReleaseMetadata(
    string App, string Version, string Digest, string ErtsVersion, bool IncludesErts, long UnpackedBytes, int Entries, DateTimeOffset StagedAt)
{
    /// <summary>In the root of the tree.</summary>
    public const string FileName = ".decant-release.json";

    /// <summary>The layout of this file.</summary>
    public int Format { get; init; } = 1;

    /// <summary>Describes a release.</summary>
    public static ReleaseMetadata Of(StagedRelease release) => new(
        release.App.Value,
        release.Id.Version.Value,
        release.Id.Digest.Value,
        release.ErtsVersion,
        release.IncludesErts,
        release.UnpackedBytes,
        release.Entries,
        release.StagedAt);

    /// <summary>Writes it into a tree.</summary>
    public void Write(string root)
    {
        var path = Path.Combine(root, FileName);
        File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(this, ReleaseMetadataJson.Default.ReleaseMetadata));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
    }

    /// <summary>Reads it from a tree.</summary>
    /// <returns>The release, or why the tree is none.</returns>
    public static (StagedRelease? Release, string Why) Read(string root)
    {
        try
        {
            using var file = File.OpenRead(Path.Combine(root, FileName));
            if (JsonSerializer.Deserialize(file, ReleaseMetadataJson.Default.ReleaseMetadata) is not { Format: 1 } data)
                return (null, "its format is not known");
            var id = new ReleaseId(ReleaseVersion.Parse(data.Version), Sha256Digest.Parse(data.Digest));
            if (id.ToString() != Path.GetFileName(root)) return (null, $"it is {id} by its {FileName}");
            var app = AppName.Parse(data.App);
            // It becomes part of the path of a program that is run.
            ReleaseVersion.Parse(data.ErtsVersion);
            if (data.UnpackedBytes < 0 || data.Entries < 0) return (null, "its size is negative");
            return (new StagedRelease(app, id, root, data.ErtsVersion, data.IncludesErts, data.UnpackedBytes, data.Entries, data.StagedAt), "");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or JsonException or FormatException)
        {
            return (null, exception.Message);
        }
    }
}

/// <summary>Serialisation without reflection.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(ReleaseMetadata))]
internal sealed partial class ReleaseMetadataJson : JsonSerializerContext;
