using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Agent.Configuration;
using Decant.Certificates;
using Decant.Errors;
using Decant.Names;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Decant.Agent.Security;

/// <summary>
/// Who is connected: finds it out when a connection is made, and ends connections whose certificate has expired, was revoked, or is of a CA that
/// is not trusted any more, with all that runs over them.
/// </summary>
internal sealed partial class Callers : IDisposable
{
    /// <summary>A caller whose certificate is no good any more is told so in answer to its call, and not for longer: connections are few.</summary>
    public static readonly TimeSpan LastWord = TimeSpan.FromSeconds(5);

    // The longest that a timer can wait is some days more; later it looks each hour.
    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(30);

    private readonly ConcurrentDictionary<ConnectionContext, CallerCertificate> certified = [];
    private readonly AgentConfiguration configuration;
    private readonly HostTls tls;
    private readonly TimeProvider time;
    private readonly ILogger<Callers> logger;

    private readonly OwnCertificate own;

    public Callers(AgentConfiguration configuration, HostTls tls, OwnCertificate own, TimeProvider time, ILogger<Callers> logger)
    {
        (this.configuration, this.tls, this.own, this.time, this.logger) = (configuration, tls, own, time, logger);
        tls.Changed += LookAgain;
    }

    /// <summary>Who a certificate says that a caller is.</summary>
    /// <param name="certificate">As the handshake brought it, which proves that the caller has its key.</param>
    /// <param name="others">Intermediates that came with it.</param>
    /// <param name="from">Where the caller is.</param>
    /// <returns>The caller; null: a CA that is trusted here did not issue it for a client.</returns>
    public Caller? Of(X509Certificate2? certificate, X509Certificate2Collection others, EndPoint? from)
    {
        var place = from?.ToString() ?? "";
        if (certificate is null)
        {
            LogRefused(place, "it has no certificate");
            return null;
        }

        if (own.Is(certificate))
            return new Caller("this agent", place, new Rights(IsAdmin: false, Rights.None.Apps, MayRead: true));
        var reason = "this host has no certificate";
        var chain = tls.Identity is { } identity ? TrustedChain.Find(certificate, others, identity.Trusted, TrustedChain.ClientUse, out reason) : null;
        if (chain is null)
        {
            LogRefused(place, $"certificate {certificate.Subject}: {reason}");
            return null;
        }

        try
        {
            var names = SubjectNames.Of(certificate);
            var granted = names.All.SelectMany(n => configuration.Access.Certificates.TryGetValue(n, out var roles) ? roles : []);
            var rights = Rights.Of(names.Uris.Select(RoleName.OfUrn).OfType<RoleName>().Concat(granted));
            return new Caller(certificate.Subject, place, rights) { Certificate = new CallerCertificate(certificate, others, chain) };
        }
        catch (Exception exception) when (exception is System.Formats.Asn1.AsnContentException or CryptographicException)
        {
            LogRefused(place, $"certificate {certificate.Subject}: {exception.Message}");
            return null;
        }
    }

    /// <summary>Why a caller's certificate does not count any more; null: it does.</summary>
    public OperatorError? Refusal(Caller caller)
    {
        if (caller.Certificate is not { Chain: var chain }) return null;
        var now = time.GetUtcNow();
        return now > chain.To ? AccessErrors.Expired(caller, chain.To)
            : now < chain.From ? AccessErrors.NotYetValid(caller, chain.From, now)
            : tls.Identity is { } identity && identity.IsRevoked(chain) ? AccessErrors.Revoked(caller)
            : null;
    }

    /// <summary>Knows who calls, for as long as the connection lasts. Over TLS, the handshake has said it already.</summary>
    public ConnectionDelegate Know(ConnectionDelegate next) => async connection =>
    {
        var caller = connection.Features.Get<Caller>() ?? OnThisMachine(connection);
        connection.Features.Set(caller);
        if (caller.Certificate is not { } certificate)
        {
            await next(connection);
            return;
        }

        certified[connection] = certificate;
        await using var end = time.CreateTimer(_ => EndWhenOver(connection, caller), null, UntilOver(caller), TimeSpan.FromHours(1));
        try
        {
            await next(connection);
        }
        finally
        {
            certified.TryRemove(connection, out _);
        }
    };

    /// <inheritdoc/>
    public void Dispose() => tls.Changed -= LookAgain;

    private Caller OnThisMachine(ConnectionContext connection)
    {
        if (connection.RemoteEndPoint is IPEndPoint address) return new Caller("anybody on this host (tls: off)", address.ToString(), Rights.Admin);
        return LocalAccess.Of(connection.Features.GetRequiredFeature<IConnectionSocketFeature>().Socket, configuration.Listen.Unix!, configuration.Access);
    }

    private TimeSpan UntilOver(Caller caller)
    {
        if (Refusal(caller) is not null) return LastWord;
        var left = caller.Certificate!.Chain.To - time.GetUtcNow() + TimeSpan.FromSeconds(1);
        return left < LongestWait ? left : LongestWait;
    }

    private void EndWhenOver(ConnectionContext connection, Caller caller)
    {
        if (Refusal(caller) is { } refusal) End(connection, caller.Certificate!, refusal.Message);
    }

    private void LookAgain()
    {
        if (tls.Identity is not { } identity) return;
        foreach (var (connection, theirs) in certified)
        {
            if (TrustedChain.Find(theirs.Certificate, theirs.Others, identity.Trusted, TrustedChain.ClientUse, out var reason) is null) End(connection, theirs, reason);
            else if (identity.IsRevoked(theirs.Chain)) End(connection, theirs, "it was revoked");
        }
    }

    private void End(ConnectionContext connection, CallerCertificate theirs, string reason)
    {
        LogEnded(connection.RemoteEndPoint?.ToString() ?? "", theirs.Certificate.Subject, theirs.Serial, reason);
        connection.Abort(new ConnectionAbortedException($"its certificate: {reason}"));
    }

    [LoggerMessage(130, LogLevel.Information, "A caller at {From} was refused: {Reason}")]
    private partial void LogRefused(string from, string reason);

    [LoggerMessage(131, LogLevel.Warning, "The connection from {From} is ended, certificate {Subject}, serial {Serial}: {Reason}")]
    private partial void LogEnded(string from, string subject, string serial, string reason);
}
