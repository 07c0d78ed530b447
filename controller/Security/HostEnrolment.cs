using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Decant.Certificates;
using Decant.Controller.Fleet;
using Decant.Errors;
using Decant.V1;
using Google.Protobuf;
using Grpc.Core;

namespace Decant.Controller.Security;

/// <summary>Enrols one host: dials its agent until that was given the token, and makes its certificate. See enrolment.proto.</summary>
/// <param name="authority">The CA.</param>
/// <param name="timings">How long one attempt may take.</param>
/// <param name="time">The clock.</param>
internal sealed class HostEnrolment(CertificateAuthority authority, CallTimings timings, TimeProvider time)
{
    /// <summary>Between two attempts to reach an agent that does not wait for it yet: nobody could tell when it does.</summary>
    public static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Waits for the agent and enrols it.</summary>
    /// <param name="token">What the agent is given by the operator.</param>
    /// <param name="agent">Where it is.</param>
    /// <param name="names">The names and addresses that its certificate is for.</param>
    /// <param name="revoked">What the CA has revoked, PEM; empty: nothing.</param>
    /// <param name="tell">Is told what it waits for, when that changes.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <returns>The host's name by its own agent.yml.</returns>
    /// <exception cref="OperatorException">Nobody gave the agent the token in time, or somebody is between.</exception>
    public async Task<string> RunAsync(
        JoinToken token, AgentAddress agent, IReadOnlyList<string> names, string revoked, Action<string> tell, CancellationToken cancellation)
    {
        var last = "";
        while (true)
        {
            var (host, waiting) = await TryAsync(token, agent, names, revoked, cancellation);
            if (host is not null) return host;
            if (waiting != last) tell(waiting);
            last = waiting;
            if (time.GetUtcNow() >= token.ExpiresAt) throw new OperatorException(NobodyJoined(token, agent));
            await Task.Delay(Pause, time, cancellation);
        }
    }

    private async Task<(string? Host, string Waiting)> TryAsync(JoinToken token, AgentAddress agent, IReadOnlyList<string> names, string revoked, CancellationToken cancellation)
    {
        using var connection = new EnrolmentConnection(agent, timings);
        var client = new Enrolment.EnrolmentClient(connection.Calls);
        var deadline = time.GetUtcNow().UtcDateTime + timings.Answer;
        try
        {
            var nonce = RandomNumberGenerator.GetBytes(EnrolmentProof.NonceBytes);
            var id = ByteString.CopyFrom(token.Id.Span);
            var begun = await client.BeginEnrolmentAsync(
                new BeginEnrolmentRequest { TokenId = id, ControllerNonce = ByteString.CopyFrom(nonce) }, deadline: deadline, cancellationToken: cancellation);
            var view = new EnrolmentView(connection.Seen(), nonce, begun.AgentNonce.ToByteArray(), begun.Request.ToByteArray());
            if (!EnrolmentProof.AreSame(EnrolmentProof.OfAgent(token, view), begun.Proof.Span)) throw new OperatorException(Intercepted(agent));
            var request = CertificateRequest.LoadSigningRequest(view.Request, HashAlgorithmName.SHA256);
            var certificate = authority.IssueHost(names, request.PublicKey, time.GetUtcNow());
            var done = await client.CompleteEnrolmentAsync(
                new CompleteEnrolmentRequest
                {
                    TokenId = id,
                    ControllerNonce = ByteString.CopyFrom(nonce),
                    AgentNonce = begun.AgentNonce,
                    Certificate = certificate,
                    Ca = authority.Pem,
                    Revoked = revoked,
                    Proof = ByteString.CopyFrom(EnrolmentProof.OfController(token, view, certificate, authority.Pem)),
                },
                deadline: deadline,
                cancellationToken: cancellation);
            return (done.Host, "");
        }
        catch (RpcException exception) when (exception.GetRpcStatus() is null && !cancellation.IsCancellationRequested)
        {
            return (null, connection.IsConnected
                ? $"{agent} answers; run the line there"
                : $"{agent} does not answer yet ({connection.Problem ?? exception.Status.Detail})");
        }
        catch (RpcException exception) when (OperatorError.FromRpc(exception) is { Reason: "OTHER_TOKEN" })
        {
            return (null, $"the agent at {agent} waits for another token: end that `decantd join`, and run the line there");
        }
        catch (RpcException exception) when (exception.GetRpcStatus() is not null)
        {
            throw new OperatorException(OperatorError.FromRpc(exception), exception);
        }
        catch (CryptographicException exception)
        {
            throw new OperatorException(new OperatorError(StatusCode.Internal, "BAD_REQUEST", $"the agent's certificate request is no good: {exception.Message}"), exception);
        }
    }

    private static OperatorError Intercepted(AgentAddress agent) => new(
        StatusCode.PermissionDenied,
        "ENROLMENT_INTERCEPTED",
        $"whoever answers at {agent} does not show that it knows the token and is the agent itself: somebody, or a proxy that ends TLS, is between. Nothing was signed",
        "find out what is between, and begin again with a new token");

    private static OperatorError NobodyJoined(JoinToken token, AgentAddress agent) => new(
        StatusCode.DeadlineExceeded,
        "TOKEN_EXPIRED",
        $"the token of {token.Host} expired, and nobody gave it to the agent at {agent}",
        "see that decantd runs there and can be reached, and begin again with `decant host enroll`");
}
