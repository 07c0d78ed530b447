using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>Why a deployment is not begun, or not gone on with: what an operator is told. Nothing was touched.</summary>
internal static class DeploymentRefusals
{
    /// <summary>Nobody who was asked knows the deployment.</summary>
    public static OperatorError Unknown(DeploymentId id, DeploymentManifest? asked, IReadOnlyList<OperatorError> problems) => asked is null
        ? NotResumable(
            $"this machine's journal knows no deployment {id}, and there is no manifest here whose agents could be asked for it",
            "`decant history` lists those that are known; run it where the app's decant.yml is, or name that with --manifest")
        : NotResumable(
            $"neither this machine's journal nor the agents of {asked.App} know deployment {id}"
                + (problems.Count == 0 ? "" : $"; not all of them could be asked: {string.Join("; ", problems.Select(p => p.Message).Distinct())}"),
            "`decant history` lists those that are known");

    /// <summary>Hosts lack the release, and its archive is not here.</summary>
    public static OperatorError ArchiveNeeded(DeploymentRecord record, List<HostName> hosts) => new(
        StatusCode.FailedPrecondition,
        Refusals.ArchiveNeeded,
        $"{string.Join(", ", hosts)} {(hosts.Count == 1 ? "does" : "do")} not have {record.App} {record.Release}, and its archive, {record.ArchivePath}"
            + $"{(record.Holder.IsHere ? "" : $" on {record.Holder.Machine}")}, is not here",
        $"decant resume {record.Id} --archive FILE, with the archive whose SHA-256 is {record.Release?.Digest}; nothing was touched");

    /// <summary>Another archive than the deployment was begun with was given.</summary>
    public static OperatorError ArchiveMismatch(DeploymentRecord record, ArchiveFile archive) => new(
        StatusCode.InvalidArgument,
        "ARCHIVE_MISMATCH",
        $"{archive.Path} is {archive.Release} with SHA-256 {archive.Release.Digest}; deployment {record.Id} is of {record.Release}, with SHA-256 {record.Release?.Digest}",
        "give the archive that the deployment was begun with; a build of the same version again is another one");

    /// <summary>There is nothing to go on with.</summary>
    public static OperatorError NotResumable(string message, string next) => new(StatusCode.FailedPrecondition, Refusals.NotResumable, message, next);

    /// <summary>The release made a deployment fail.</summary>
    public static OperatorError FailedBefore(FailedRelease failed) => new(
        StatusCode.FailedPrecondition,
        Refusals.ReleaseFailedBefore,
        $"{failed.App} {failed.Release} made deployment {failed.Deployment} fail at {failed.At:u}: {failed.Error.Message}",
        "build a release that does better, or add --again to deploy this one all the same");

    /// <summary>It is no time for deployments.</summary>
    public static OperatorError OutsideWindow(MaintenanceWindow window) => new(
        StatusCode.FailedPrecondition,
        Refusals.OutsideWindow,
        $"deployments may begin from {window} only",
        "wait, or add --now to deploy all the same; nothing was touched");

    /// <summary>What was agreed to is not what would be done.</summary>
    public static OperatorError PlanChanged(AppName app) => new(
        StatusCode.FailedPrecondition,
        "PLAN_CHANGED",
        $"the fleet of {app} has changed since the plan was shown: another plan would be made now; nothing was touched",
        "run decant repair again, and read its plan");

    /// <summary>No host has an earlier good release.</summary>
    public static OperatorError NothingToGoBackTo(AppName app) => new(
        StatusCode.FailedPrecondition,
        Refusals.NothingToRollBackTo,
        $"no host has an earlier good release of {app} to go back to",
        $"`decant releases` lists what is there; deploy the archive of the one you want");

    /// <summary>A version names no release on the host, or several.</summary>
    public static OperatorError NotOneRelease(HostName host, ReleaseVersion version, int count) => new OperatorError(
        StatusCode.FailedPrecondition,
        "RELEASE_NOT_STAGED",
        count == 0 ? $"{host}: {version} is not on it" : $"{host}: {count} releases of version {version} are on it",
        "deploy the archive of the one you want").With("host", host.Value);

    /// <summary>All of them as one, with the code of the first.</summary>
    public static OperatorError Joined(IReadOnlyList<OperatorError> errors)
        => errors.Count == 1 ? errors[0] : errors[0] with
        {
            Message = string.Join('\n', errors.Select(e => e.Message)),
            WhatNext = string.Join('\n', errors.Select(e => e.WhatNext).Where(n => n.Length > 0).Distinct()),
        };
}
