using System.Globalization;
using Decant.Errors;
using Grpc.Core;

namespace Decant.Agent.Security;

/// <summary>What callers are told who may not.</summary>
internal static class AccessErrors
{
    private const string NewCertificate = "get a new certificate: `decant ca renew` where the CA is, or `decant ca issue`";

    public static OperatorError Expired(Caller caller, DateTimeOffset at) => new(
        StatusCode.Unauthenticated, "CERTIFICATE_EXPIRED", $"the certificate of {caller.Name} expired at {Time(at)}", NewCertificate);

    public static OperatorError NotYetValid(Caller caller, DateTimeOffset from, DateTimeOffset now) => new(
        StatusCode.Unauthenticated,
        "CERTIFICATE_NOT_YET_VALID",
        $"the certificate of {caller.Name} is valid from {Time(from)} on, and by this host's clock it is {Time(now)}",
        "set the clocks right, here and where the certificate was made");

    public static OperatorError Revoked(Caller caller) => new(
        StatusCode.Unauthenticated, "CERTIFICATE_REVOKED", $"the certificate of {caller.Name}, serial {caller.Certificate?.Serial}, was revoked", NewCertificate);

    /// <summary>It has not the role that the call needs.</summary>
    /// <param name="caller">Who.</param>
    /// <param name="call">The call.</param>
    /// <param name="needs">The role: "deployer:shop".</param>
    public static OperatorError RoleMissing(Caller caller, string call, string needs) => new OperatorError(
        StatusCode.PermissionDenied,
        "ROLE_MISSING",
        $"{call} needs {needs}, and {caller.Name} has {caller.Rights}",
        "use a certificate with that role (`decant ca issue NAME --role ROLE`), or let the host grant it (access in agent.yml)")
        .With("needs", needs).With("caller", caller.Name);

    private static string Time(DateTimeOffset at) => at.ToUniversalTime().ToString("yyyy-MM-dd HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
