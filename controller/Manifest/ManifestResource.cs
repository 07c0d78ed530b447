namespace Decant.Controller.Manifest;

/// <summary>Texts that are built into the program.</summary>
internal static class ManifestResource
{
    /// <summary>Reads one by the name that the project file gives it.</summary>
    public static string Read(string name)
    {
        using var stream = typeof(ManifestResource).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is not built in");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
