namespace Decant.Controller.Manifest;

/// <summary>The JSON schema (draft 2020-12) of <c>decant.yml</c>, for editors. What the reader knows and the schema knows agree by a test.</summary>
public static class ManifestSchema
{
    /// <summary>The name of the file beside <c>decant.yml</c>.</summary>
    public const string FileName = "decant.schema.json";

    /// <summary>The schema's text.</summary>
    public static string Text => ManifestResource.Read(FileName);
}
