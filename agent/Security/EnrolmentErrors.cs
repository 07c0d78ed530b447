using System.Globalization;
using Decant.Agent.Configuration;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Security;

/// <summary>Why a host is not enrolled, in words.</summary>
internal static class EnrolmentErrors
{
    private const string NewToken = "make a new one with `decant host enroll`";

    public static OperatorError NoTlsPort { get; } = new(
        StatusCode.FailedPrecondition, "NO_TLS_PORT", "this agent has no TLS port: agent.yml says listen.tcp or listen.tls off", "change listen in agent.yml and restart decantd");

    public static OperatorError Used { get; } = new(StatusCode.FailedPrecondition, "TOKEN_USED", "the token was used already; this host is enrolled by it", NewToken);

    public static OperatorError OtherToken { get; } = new(
        StatusCode.FailedPrecondition,
        "OTHER_TOKEN",
        "the agent waits for the controller of another token, or for none any more",
        "run the line that this `decant host enroll` printed on the host");

    public static OperatorError ProofWrong { get; } = new(
        StatusCode.PermissionDenied,
        "PROOF_WRONG",
        "the controller does not show that it knows the token and sees this agent's own certificate: it has another token, or somebody is between",
        "see what is between the two (a proxy that ends TLS?) and begin again with a new token");

    public static OperatorError OtherCa { get; } = new(
        StatusCode.FailedPrecondition, "CA_OF_ANOTHER_TOKEN", "the CA's certificate is not the one whose fingerprint is in the token", NewToken);

    public static OperatorError Damaged(string reason) => new(StatusCode.InvalidArgument, "TOKEN_DAMAGED", reason, NewToken);

    public static OperatorError Expired(DateTimeOffset at) => new(
        StatusCode.FailedPrecondition,
        "TOKEN_EXPIRED",
        $"the token expired at {at.ToUniversalTime().ToString("HH:mm:ss", CultureInfo.InvariantCulture)} UTC",
        $"see that the clocks of both machines are right, and {NewToken}");

    public static OperatorError Runs(string host) => new(
        StatusCode.FailedPrecondition, "ENROLMENT_RUNS", $"another `decantd join` waits for its controller already, as {host}", "end that one first (Ctrl-C)");

    public static OperatorError OwnFiles(TlsSettings settings) => new(
        StatusCode.FailedPrecondition,
        "OWN_CERTIFICATES",
        $"agent.yml names certificates of your own ({settings.Certificate}), which enrolment would overwrite",
        "take listen.tls out of agent.yml and restart decantd, or go on making its certificates yourself");

    public static OperatorError NotWritable(TlsSettings settings, string reason) => new(
        StatusCode.FailedPrecondition,
        "NOT_WRITABLE",
        $"the agent cannot write its certificate: {reason}",
        $"make {settings.Directory} a directory of the user that decantd runs as, mode 0700");

    public static OperatorError Unusable(string reason) => new(StatusCode.FailedPrecondition, "CERTIFICATE_UNUSABLE", $"the certificate cannot be used: {reason}", NewToken);
}
