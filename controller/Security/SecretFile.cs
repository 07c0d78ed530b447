using System.Text;

namespace Decant.Controller.Security;

/// <summary>Writes files of the operator's own.</summary>
internal static class SecretFile
{
    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Makes a directory that nobody else may look into, with those above it.</summary>
    public static void MakeDirectory(string path) => Directory.CreateDirectory(path, Own | UnixFileMode.UserExecute);

    /// <summary>Writes a file for its owner only (mode 0600), whole or not at all, and on the disk when it returns.</summary>
    public static void Write(string path, string text)
    {
        MakeDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Own }))
        {
            file.Write(Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }
}
