using System.Globalization;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Agent.Configuration;
using Decant.Certificates;
using Decant.Errors;

namespace Decant.Agent.Security;

/// <summary>
/// Gives this host its certificate: takes a token from the operator here, and then, for as long as it is valid, the certificate from the one controller that
/// knows it too. See enrolment.proto.
/// </summary>
internal sealed partial class Enrolment(AgentConfiguration configuration, HostTls tls, TimeProvider time, ILogger<Enrolment> logger) : IDisposable
{
    private readonly Lock gate = new();
    private volatile OpenEnrolment? open;

    /// <summary>What is shown on a connection for enrolment; null: there is nothing to enrol.</summary>
    public SslStreamCertificateContext? Server => open?.Server;

    /// <summary>Takes a token and waits for the controller.</summary>
    /// <param name="text">The token.</param>
    /// <param name="tell">Is told what happens.</param>
    /// <param name="cancellation">Gives up; the token can be tried again then.</param>
    /// <exception cref="OperatorException">The token is no good, or nobody came.</exception>
    public async Task JoinAsync(string text, Func<string, Task> tell, CancellationToken cancellation)
    {
        using var own = Open(text);
        try
        {
            LogOpen(own.Token.Host, own.Token.ExpiresAt);
            await tell($"waiting for the controller that made the token, until {own.Token.ExpiresAt.ToUniversalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture)} UTC");
            using var limit = new CancellationTokenSource(own.Token.ExpiresAt - time.GetUtcNow(), time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellation);
            try
            {
                await foreach (var message in own.Messages.Reader.ReadAllAsync(either.Token)) await tell(message);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested)
            {
                throw new OperatorException(EnrolmentErrors.Expired(own.Token.ExpiresAt));
            }
        }
        finally
        {
            open = null;
        }
    }

    /// <summary>The controller's first call.</summary>
    /// <exception cref="OperatorException">It has another token, or it is too late.</exception>
    public V1.BeginEnrolmentResponse Begin(V1.BeginEnrolmentRequest request)
    {
        var enrolment = Known(request.TokenId.Span);
        if (request.ControllerNonce.Length != EnrolmentProof.NonceBytes) throw new OperatorException(EnrolmentErrors.ProofWrong);
        return enrolment.Answer(request.ControllerNonce.ToByteArray());
    }

    /// <summary>The controller's second call.</summary>
    /// <exception cref="OperatorException">The certificate is not taken, and nothing was changed.</exception>
    public void Complete(V1.CompleteEnrolmentRequest request)
    {
        lock (gate)
        {
            var enrolment = Known(request.TokenId.Span);
            var certificate = Checked(enrolment, request);
            var settings = configuration.Listen.Tls!;
            // A list of another CA would be one that cannot be read.
            if (request.Revoked.Length > 0) HostFiles.Write(settings.Revoked, request.Revoked);
            else File.Delete(settings.Revoked);
            HostFiles.Install(settings, request.Certificate, enrolment.Key, request.Ca);
            UsedTokens.Add(settings, enrolment.Token, time.GetUtcNow());
            tls.Reload();
            if (tls.Problem is { } problem) throw new OperatorException(EnrolmentErrors.Unusable(problem));
            open = null;
            LogEnrolled(enrolment.Token.Host, certificate);
            enrolment.Messages.Writer.TryWrite($"enrolled as {enrolment.Token.Host}: {certificate}");
            enrolment.Messages.Writer.Complete();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => open?.Dispose();

    private OpenEnrolment Open(string text)
    {
        if (!JoinToken.TryParse(text, out var token, out var reason)) throw new OperatorException(EnrolmentErrors.Damaged(reason));
        if (configuration.Listen is not { Tls: { } settings, Tcp: not null }) throw new OperatorException(EnrolmentErrors.NoTlsPort);
        if (settings != new TlsSettings(settings.Directory)) throw new OperatorException(EnrolmentErrors.OwnFiles(settings));
        var now = time.GetUtcNow();
        if (token.ExpiresAt <= now) throw new OperatorException(EnrolmentErrors.Expired(token.ExpiresAt));
        if (UsedTokens.Has(settings, token)) throw new OperatorException(EnrolmentErrors.Used);
        try
        {
            UsedTokens.Forget(settings, now);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new OperatorException(EnrolmentErrors.NotWritable(settings, exception.Message), exception);
        }

        lock (gate)
        {
            if (open is { } other) throw new OperatorException(EnrolmentErrors.Runs(other.Token.Host));
            return open = new OpenEnrolment(token, now);
        }
    }

    private OpenEnrolment Known(ReadOnlySpan<byte> id)
    {
        if (open is not { } enrolment || !id.SequenceEqual(enrolment.Token.Id.Span))
        {
            open?.Messages.Writer.TryWrite("a controller came with another token");
            throw new OperatorException(EnrolmentErrors.OtherToken);
        }

        return enrolment.Token.ExpiresAt > time.GetUtcNow() ? enrolment : throw new OperatorException(EnrolmentErrors.Expired(enrolment.Token.ExpiresAt));
    }

    /// <summary>Looks at all that the controller sent before any of it is used.</summary>
    /// <returns>What it is, for people.</returns>
    private string Checked(OpenEnrolment enrolment, V1.CompleteEnrolmentRequest request)
    {
        var view = enrolment.View(request.ControllerNonce.ToByteArray(), request.AgentNonce.ToByteArray());
        if (view is null || !EnrolmentProof.AreSame(EnrolmentProof.OfController(enrolment.Token, view, request.Certificate, request.Ca), request.Proof.Span))
        {
            enrolment.Messages.Writer.TryWrite("a controller could not show that it knows the token: it was refused");
            throw new OperatorException(EnrolmentErrors.ProofWrong);
        }

        try
        {
            using var ca = X509Certificate2.CreateFromPem(request.Ca);
            if (!SHA256.HashData(ca.RawData).AsSpan().SequenceEqual(enrolment.Token.CaFingerprint.Span)) throw new OperatorException(EnrolmentErrors.OtherCa);
            X509Certificate2Collection chain = [];
            chain.ImportFromPem(request.Certificate);
            if (chain.Count == 0) throw new OperatorException(EnrolmentErrors.Unusable("there is none"));
            using var leaf = chain[0];
            chain.RemoveAt(0);
            using var key = leaf.GetECDsaPublicKey();
            if (key?.ExportSubjectPublicKeyInfo().AsSpan().SequenceEqual(enrolment.Key.ExportSubjectPublicKeyInfo()) is not true)
                throw new OperatorException(EnrolmentErrors.Unusable("it is for another key"));
            var now = time.GetUtcNow();
            if (TrustedChain.Find(leaf, chain, [ca], TrustedChain.ServerUse, out var reason) is not { } found) throw new OperatorException(EnrolmentErrors.Unusable(reason));
            if (found.From > now || found.To < now) throw new OperatorException(EnrolmentErrors.Unusable("by this host's clock it is not valid now"));
            if (request.Revoked.Length > 0) RevocationList.ReadAll(System.Text.Encoding.UTF8.GetBytes(request.Revoked), [ca]);
            return string.Create(CultureInfo.InvariantCulture, $"certificate {found.Ids[0].Serial} of {ca.Subject}, valid until {found.To:yyyy-MM-dd}");
        }
        catch (Exception exception) when (exception is CryptographicException or ArgumentException)
        {
            throw new OperatorException(EnrolmentErrors.Unusable(exception.Message), exception);
        }
    }

    [LoggerMessage(150, LogLevel.Warning, "Enrolment is open until {Until:u}: whoever has the token for {Host} may give this host its certificate")]
    private partial void LogOpen(string host, DateTimeOffset until);

    [LoggerMessage(151, LogLevel.Warning, "This host was enrolled as {Host}: {Certificate}")]
    private partial void LogEnrolled(string host, string certificate);
}
