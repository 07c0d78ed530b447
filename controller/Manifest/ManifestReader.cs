namespace Decant.Controller.Manifest;

/// <summary>Reads <c>decant.yml</c>: a valid <see cref="DeploymentManifest"/>, or everything that is wrong with it.</summary>
public static class ManifestReader
{
    /// <summary>Reads the text of a manifest. Never throws, whatever the text.</summary>
    public static ManifestResult Read(string text) => throw new NotImplementedException(text);

    /// <summary>Reads a manifest's file. A file that is not there or cannot be read is an error among the others.</summary>
    public static Task<ManifestResult> ReadFileAsync(string path, CancellationToken cancellation)
        => throw new NotImplementedException(path);
}
