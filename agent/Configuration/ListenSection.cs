using System.Net;

namespace Decant.Agent.Configuration;

/// <summary>Reads the part <c>listen</c> of agent.yml.</summary>
internal static class ListenSection
{
    /// <summary>Reads it.</summary>
    /// <param name="section">The part.</param>
    /// <param name="file">agent.yml: certificates are beside it.</param>
    public static ListenSettings Read(YamlSection section, string file)
    {
        var tls = Tls(section, new TlsSettings(Path.Combine(Path.GetDirectoryName(file) ?? "", TlsSettings.DirectoryName)));
        var defaults = new ListenSettings();
        var tcp = tls is null ? new IPEndPoint(IPAddress.Loopback, ListenSettings.DefaultPort) : defaults.Tcp;
        var listen = new ListenSettings
        {
            Unix = section.Value("unix", defaults.Unix, Values.UnixSocket),
            Tcp = section.Value("tcp", tcp, Values.Address),
            Tls = tls,
        };
        if (listen is { Tls: null, Tcp: { } address } && !IPAddress.IsLoopback(address.Address))
        {
            section.Wrong(
                section.Has("tcp") ? "tcp" : "tls",
                $"{address.Address} is not loopback and tls is off: anybody who reaches that address could deploy here; remove tls: off, or listen on 127.0.0.1:{address.Port}");
        }

        if (listen is { Unix: null, Tcp: null }) section.Wrong("unix", "both unix and tcp are off: nobody could reach the agent; keep one of them");
        section.RefuseOthers();
        return listen;
    }

    private static TlsSettings? Tls(YamlSection section, TlsSettings defaults)
    {
        if (section.HasValue("tls")) return section.Value("tls", defaults, text => Switch(text, defaults));
        var files = section.Section("tls");
        var tls = defaults with
        {
            Ca = files.Value("ca", defaults.Ca, Values.AbsolutePath),
            Certificate = files.Value("certificate", defaults.Certificate, Values.AbsolutePath),
            Key = files.Value("key", defaults.Key, Values.AbsolutePath),
            Revoked = files.Value("revoked", defaults.Revoked, Values.AbsolutePath),
        };
        files.RefuseOthers();
        return tls;
    }

    private static Read<TlsSettings?> Switch(string text, TlsSettings defaults)
        => Values.IsOff(text) ? new Read<TlsSettings?>(null, null)
            : text is "on" or "true" ? defaults
            : Read<TlsSettings?>.Not($"\"{text}\" is neither off nor the files of a certificate: {{ ca: …, certificate: …, key: … }}");
}
