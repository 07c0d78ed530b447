using System.Globalization;
using Decant.Certificates;
using Decant.Controller.Fleet;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Controller.Security;

/// <summary>Why an agent cannot be spoken to safely, in words. Nothing was sent in any of these cases.</summary>
internal static class TlsErrors
{
    private const string Side = "found";

    /// <summary>Whether an error is about who one of the two is, and not about whether the other answers.</summary>
    public static bool IsAboutWho(OperatorError error)
        => error.Code is StatusCode.Unauthenticated or StatusCode.PermissionDenied || error.Facts.ContainsKey(Side);

    public static OperatorError WrongCa(AgentAddress agent, string reason) => Error(
        "AGENT_OF_ANOTHER_CA",
        $"the certificate of the agent at {agent} cannot be trusted: {reason}",
        "if the host was enrolled with another CA, use that one's directory (--identity) or enrol the host again; otherwise somebody answers in its place");

    public static OperatorError NotValidNow(AgentAddress agent, DateTimeOffset from, DateTimeOffset to) => Error(
        "AGENT_CERTIFICATE_EXPIRED",
        $"the certificate of the agent at {agent} is valid from {Time(from)} to {Time(to)}, and not now",
        "see that the clocks are right, or enrol the host again (`decant host enroll`)");

    public static OperatorError Revoked(AgentAddress agent, string serial) => Error(
        "AGENT_CERTIFICATE_REVOKED", $"the certificate of the agent at {agent}, serial {serial}, was revoked", "enrol the host again (`decant host enroll`), if it is to be trusted");

    public static OperatorError WrongHost(AgentAddress agent, SubjectNames names) => Error(
        "AGENT_OF_ANOTHER_HOST",
        $"whoever answers at {agent} has the certificate of {(names.DnsNames is { Count: > 0 } dns ? string.Join(", ", dns) : names.CommonName)}, and not of {agent.CertifiedName}",
        $"see that the address in decant.yml is right; through a tunnel, name the host too: agent: {agent.CertifiedName}=127.0.0.1:{agent.Port}");

    public static OperatorError NoTls(AgentAddress agent, Exception exception) => Error(
        "AGENT_WITHOUT_TLS",
        $"what answers at {agent} does not speak TLS 1.3: {exception.Message}",
        $"see that the port is decantd's; where its agent.yml says `tls: off`, on this machine, write http://127.0.0.1:{agent.Port} in decant.yml");

    public static OperatorError ClosedInHandshake(AgentAddress agent) => Error(
        "AGENT_NOT_ENROLLED",
        $"the agent at {agent} ended the connection in the TLS handshake: most likely it has no certificate yet",
        $"enrol it: `decant host enroll NAME={agent}`; its log says why (`journalctl -u decantd`)");

    public static OperatorError NotAccepted(AgentAddress agent) => Error(
        "CERTIFICATE_NOT_ACCEPTED",
        $"the agent at {agent} ended the connection after it saw your certificate: most likely that is of a CA which it does not trust",
        "its log says why (`journalctl -u decantd`); `decant ca issue` makes a certificate of its CA");

    /// <summary>The operator's own files.</summary>
    public static OperatorError Own(string reason, string message, string next) => Error(reason, message, next);

    private static OperatorError Error(string reason, string message, string next) => new OperatorError(StatusCode.Unavailable, reason, message, next).With(Side, "here");

    private static string Time(DateTimeOffset at) => at.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
