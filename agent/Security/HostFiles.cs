using System.Security.Cryptography;
using Decant.Agent.Configuration;

namespace Decant.Agent.Security;

/// <summary>
/// Writes this host's certificate, its key and the CA. They are in several files and belong together: all of them are first written to one, so that an agent
/// that dies between two of them goes on where it stopped.
/// </summary>
internal static class HostFiles
{
    private const UnixFileMode Own = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const string CaMark = "# ca\n";

    /// <summary>Puts them in place.</summary>
    /// <param name="settings">Where they are.</param>
    /// <param name="certificate">PEM, with intermediates.</param>
    /// <param name="key">Its key.</param>
    /// <param name="ca">PEM; null: it stays as it is.</param>
    /// <exception cref="IOException">They could not be written. What was there before still is.</exception>
    public static void Install(TlsSettings settings, string certificate, ECDsa key, string? ca)
    {
        MakeDirectory(Path.GetDirectoryName(Pending(settings))!);
        Write(Pending(settings), $"{key.ExportPkcs8PrivateKeyPem()}\n{certificate.TrimEnd()}\n{(ca is null ? "" : $"{CaMark}{ca.TrimEnd()}\n")}");
        Finish(settings);
    }

    /// <summary>Finishes what an agent began that died in it.</summary>
    public static void Finish(TlsSettings settings)
    {
        if (!File.Exists(Pending(settings))) return;
        var text = File.ReadAllText(Pending(settings));
        var (own, ca) = text.Split(CaMark) is [var first, var second] ? (first, second) : (text, null);
        var key = PemEncoding.Find(own);
        Write(settings.Key, own[key.Location] + "\n");
        if (ca is not null) Write(settings.Ca, ca);
        Write(settings.Certificate, own[key.Location.End..].TrimStart());
        File.Delete(Pending(settings));
    }

    /// <summary>Writes a file for its owner only, whole or not at all, and on the disk when it returns.</summary>
    public static void Write(string path, string text)
    {
        MakeDirectory(Path.GetDirectoryName(path)!);
        var temporary = $"{path}.new";
        File.Delete(temporary);
        using (var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = Own }))
        {
            file.Write(System.Text.Encoding.UTF8.GetBytes(text));
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
        Releases.DirectorySync.FlushEntries(Path.GetDirectoryName(path)!);
    }

    private static string Pending(TlsSettings settings) => $"{settings.Certificate}.pending";

    private static void MakeDirectory(string path) => Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
}
