using Decant.Controller.Security;

namespace Decant.Controller.Tests.Fleet;

/// <summary>Of an operator without a certificate, which is enough on a unix socket.</summary>
internal static class NoIdentity
{
    public static OperatorIdentities Here { get; } = new(() => new IdentityDirectory("/nowhere"));
}
