using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Security;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Planning;

/// <summary>The reasons for which a host cannot be planned, in words.</summary>
internal static class PlanRefusals
{
    public static PlanRefusal Unreachable(ManifestHost host, OperatorError error) => TlsErrors.IsAboutWho(error)
        ? new PlanRefusal(host.Name, (error with { Message = $"{host.Name}: {error.Message}" }).With("host", host.Name.Value))
        : new PlanRefusal(
        host.Name,
        new OperatorError(
            StatusCode.Unavailable,
            "HOST_UNREACHABLE",
            $"{host.Name}: its agent at {host.Agent} does not answer: {error.Message}",
            $"see that decantd runs on {host.Name} and is reachable at {host.Agent}, or take {host.Name} out of the manifest; nothing was touched")
            .With("host", host.Name.Value));

    public static PlanRefusal NotObserved(HostName host) => new(
        host,
        new OperatorError(
            StatusCode.Internal,
            "HOST_NOT_OBSERVED",
            $"{host}: nothing is known of it, because its agent was not asked",
            "run the command again")
            .With("host", host.Value));

    public static PlanRefusal NotInManifest(HostName host) => new(
        host,
        new OperatorError(
            StatusCode.NotFound,
            "HOST_NOT_IN_MANIFEST",
            $"{host}: the manifest has no such host",
            $"put {host} back into the manifest, or see to it by hand: it stays as it is")
            .With("host", host.Value));

    public static PlanRefusal NotStaged(ManifestHost host, AppName app, ReleaseId release) => new(
        host.Name,
        new OperatorError(
            StatusCode.FailedPrecondition,
            "RELEASE_NOT_STAGED",
            $"{host.Name}: cannot go back to {app} {release}, which is not on it any more",
            $"deploy the archive of {release}: decant deploy stages it again")
            .With("host", host.Name.Value).With("release", release.ToString()));

    public static PlanRefusal TooFewInRotation(HostName host, DeploymentManifest manifest) => new(
        host,
        new OperatorError(
            StatusCode.FailedPrecondition,
            "MIN_IN_ROTATION",
            $"{host}: cannot be taken out, because fewer than strategy.min_in_rotation ({manifest.Strategy.MinInRotation.AtLeastOf(manifest.Hosts.Count)} of {manifest.Hosts.Count} hosts) would be left",
            "bring back the hosts that do not serve, lower min_in_rotation, or give the hosts two slots, so that a switch takes nothing away; it was not touched")
            .With("host", host.Value));

    public static PlanRefusal RunsBeside(HostName host, ReleaseId running) => new(
        host,
        new OperatorError(
            StatusCode.FailedPrecondition,
            "RELEASES_AT_ONCE",
            $"{host}: would go on running {running}, and strategy.type recreate lets no two releases run at once",
            "take every host to the same release: deploy to all of them, or name the version to go back to (decant rollback --to VERSION); nothing was touched")
            .With("host", host.Value).With("release", running.ToString()));

    public static PlanRefusal NamedTwice(HostName host) => new(
        host,
        new OperatorError(StatusCode.InvalidArgument, "HOST_NAMED_TWICE", $"{host}: is to go back twice in one rollback", "name it once")
            .With("host", host.Value));
}
