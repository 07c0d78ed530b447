using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Agent.Configuration;
using Decant.Certificates;

namespace Decant.Agent.Security;

/// <summary>
/// This host's certificate, the CAs that it trusts and what they revoked, as the files say. Files that are wrong or half-written change nothing:
/// what was read before holds on.
/// </summary>
internal sealed partial class HostTls(ListenSettings listen, TimeProvider time, ILogger<HostTls> logger) : IDisposable
{
    /// <summary>After a change of a file: one that is copied, or the next of several, has this long to be whole.</summary>
    public static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(200);

    private readonly Dictionary<string, FileSystemWatcher> watchers = [];
    private readonly Lock gate = new();
    private volatile HostIdentity? identity;
    private byte[] read = [];
    private ITimer? settled;

    /// <summary>It has been read anew.</summary>
    public event Action? Changed;

    /// <summary>Null: there is none (yet), and nobody can call over TCP.</summary>
    public HostIdentity? Identity => identity;

    /// <summary>Why the files cannot be used; null: they can.</summary>
    public string? Problem { get; private set; }

    /// <summary>Reads the files when the agent starts. A host without any is not enrolled, which is no problem as long as it has a unix socket.</summary>
    /// <returns>Why nobody could reach the agent; null: somebody can.</returns>
    public string? Load()
    {
        if (listen.Tls is { } own && Directory.Exists(own.Directory)) HostFiles.Finish(own);
        Reload();
        return listen is { Unix: null, Tls: { } files } && identity is null
            ? $"listen.unix is off, and there is no certificate for TCP ({Problem ?? $"{files.Certificate} is not there"}): nobody could reach the agent"
            : null;
    }

    /// <summary>Reads the files again.</summary>
    public void Reload()
    {
        if (listen.Tls is not { } settings) return;
        lock (gate)
        {
            Watch(settings);
            try
            {
                Problem = null;
                if (!IsEnrolled(settings))
                {
                    LogNone(settings.Certificate);
                    return;
                }

                // A change of several files is told more than once.
                var digest = Digest(settings);
                if (digest.AsSpan().SequenceEqual(read)) return;
                identity = Read(settings);
                read = digest;
                LogRead(identity.Names.CommonName, identity.Certificate.NotAfter.ToUniversalTime(), identity.Revoked.Sum(l => l.Revoked.Count));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or System.Formats.Asn1.AsnContentException)
            {
                Problem = exception.Message;
                LogProblem(exception.Message, identity is null ? "nobody can call over TCP" : "what was read before holds on");
                return;
            }
        }

        Changed?.Invoke();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var watcher in watchers.Values) watcher.Dispose();
        settled?.Dispose();
    }

    /// <summary>Reads the files again whenever one of them changes, from now on. A directory is there at the latest when the host has been enrolled.</summary>
    private void Watch(TlsSettings settings)
    {
        string[] files = [settings.Ca, settings.Certificate, settings.Key, settings.Revoked];
        settled ??= time.CreateTimer(_ => Reload(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        foreach (var directory in files.Select(f => Path.GetDirectoryName(f)!).Distinct().Where(d => !watchers.ContainsKey(d) && Directory.Exists(d)))
        {
            var watcher = new FileSystemWatcher(directory);
            FileSystemEventHandler changed = (_, change) =>
            {
                if (files.Contains(change.FullPath)) settled?.Change(Settling, Timeout.InfiniteTimeSpan);
            };
            watcher.Created += changed;
            watcher.Changed += changed;
            watcher.Deleted += changed;
            watcher.Renamed += (sender, change) => changed(sender, change);
            watcher.Error += (_, _) => settled?.Change(Settling, Timeout.InfiniteTimeSpan);
            watcher.EnableRaisingEvents = true;
            watchers[directory] = watcher;
        }
    }

    private static bool IsEnrolled(TlsSettings settings)
        => File.Exists(settings.Ca) || File.Exists(settings.Certificate) || File.Exists(settings.Key);

    private static byte[] Digest(TlsSettings settings)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in (string[])[settings.Ca, settings.Certificate, settings.Key, settings.Revoked])
        {
            var bytes = File.Exists(file) ? File.ReadAllBytes(file) : [];
            hash.AppendData(BitConverter.GetBytes(bytes.LongLength));
            hash.AppendData(bytes);
        }

        return hash.GetHashAndReset();
    }

    private static HostIdentity Read(TlsSettings settings)
    {
        const UnixFileMode Others = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        if (File.Exists(settings.Key) && (File.GetUnixFileMode(settings.Key) & Others) != 0)
            throw new CryptographicException($"{settings.Key} can be read by anybody on this host: chmod 600 {settings.Key}");
        var trusted = Import(settings.Ca);
        var chain = Import(settings.Certificate);
        var certificate = Named(settings.Key, () => X509Certificate2.CreateFromPemFile(settings.Certificate, settings.Key));
        chain.RemoveAt(0);
        if (TrustedChain.Find(certificate, chain, trusted, TrustedChain.ServerUse, out var reason) is null)
            throw new CryptographicException($"{settings.Certificate} cannot be used with {settings.Ca}: {reason}");
        var revoked = File.Exists(settings.Revoked)
            ? Named(settings.Revoked, () => RevocationList.ReadAll(File.ReadAllBytes(settings.Revoked), [.. trusted, .. chain]))
            : [];
        return new HostIdentity(certificate, SslStreamCertificateContext.Create(certificate, chain, offline: true), trusted, revoked);
    }

    private static X509Certificate2Collection Import(string file) => Named(file, () =>
    {
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPemFile(file);
        return certificates.Count > 0 ? certificates : throw new CryptographicException("there is no certificate in it");
    });

    private static T Named<T>(string file, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (CryptographicException exception)
        {
            throw new CryptographicException($"{file}: {exception.Message}", exception);
        }
    }

    [LoggerMessage(120, LogLevel.Information, "This host has no certificate ({File} is not there): nobody can call over TCP until it is enrolled (decant host enroll)")]
    private partial void LogNone(string file);

    [LoggerMessage(121, LogLevel.Information, "Certificate of {Name} read, valid until {Until:u}; {Revoked} certificates are revoked")]
    private partial void LogRead(string name, DateTime until, int revoked);

    [LoggerMessage(122, LogLevel.Error, "The certificates cannot be used: {Reason}; {Consequence}")]
    private partial void LogProblem(string reason, string consequence);
}

/// <summary>Who this host is to its callers, and whose certificates it trusts.</summary>
/// <param name="Certificate">Its certificate, with the key.</param>
/// <param name="Server">The same, with its intermediates, for handshakes.</param>
/// <param name="Trusted">The CAs.</param>
/// <param name="Revoked">What they revoked.</param>
internal sealed record HostIdentity(
    X509Certificate2 Certificate, SslStreamCertificateContext Server, X509Certificate2Collection Trusted, IReadOnlyList<RevocationList> Revoked)
{
    /// <summary>What the certificate is for.</summary>
    public SubjectNames Names { get; } = SubjectNames.Of(Certificate);

    /// <summary>The highest number of the lists; 0: there is none.</summary>
    public ulong RevocationNumber => Revoked.Select(l => (ulong)l.Number).DefaultIfEmpty().Max();

    /// <summary>Whether a certificate, or one that vouches for it, is revoked.</summary>
    public bool IsRevoked(TrustedChain chain) => Revoked.Any(list => chain.Ids.Any(list.Revoked.Contains));
}
