using Decant.Controller.Fleet;
using Decant.Controller.Manifest;
using Decant.Controller.Planning;
using Decant.Controller.State;
using Decant.Errors;
using Decant.Names;
using Grpc.Core;

namespace Decant.Controller.Execution;

/// <summary>What commands call: observes, plans, takes the app's lock, journals and executes.</summary>
/// <param name="state">Where the locks are.</param>
/// <param name="journal">The journal.</param>
/// <param name="fleets">The fleet, given where a release's archive is (null: it is staged already).</param>
/// <param name="time">Clock and timers.</param>
/// <param name="random">Makes deployment ids.</param>
/// <param name="options">What happens when an agent cannot be reached.</param>
/// <param name="sink">Gets the events.</param>
internal sealed class DeploymentService(
    StateDirectory state,
    DeploymentJournal journal,
    Func<ArchiveFile?, IFleet> fleets,
    TimeProvider time,
    Random random,
    ExecutorOptions options,
    Action<DeploymentEvent> sink)
{
    /// <summary>What a deployment would do; touches nothing.</summary>
    /// <exception cref="OperatorException">A host or balancer cannot be reached, or lacks what the manifest names.</exception>
    public async Task<Plan> PlanAsync(DeployRequest request, CancellationToken cancellation)
    {
        await RecallAsync(request.Manifest, cancellation);
        return (await PlanAsync(fleets(request.Archive), request, cancellation)).Plan;
    }

    /// <summary>Rolls a release out. Every way it can end is an outcome; refusals are exceptions.</summary>
    /// <exception cref="OperatorException">
    /// Refused before anything was touched: RELEASE_FAILED_BEFORE, DEPLOYMENT_RUNS, HOST_UNREACHABLE; see <see cref="ExitCodes"/>.
    /// </exception>
    public async Task<DeploymentOutcome> DeployAsync(DeployRequest request, StopSignal stop)
    {
        var (manifest, release) = (request.Manifest, request.Release);
        using var turn = AppLock.Take(state, manifest.App, $"deploying {manifest.App} {release.Version}", time);
        if (manifest.Strategy.Window is { } window && !request.Now && !window.Contains(time.GetUtcNow())) throw new OperatorException(DeploymentRefusals.OutsideWindow(window));
        await RecallAsync(manifest, stop.Stop);
        if (!request.Again && journal.FailureOf(manifest.App, release) is { } failed) throw new OperatorException(DeploymentRefusals.FailedBefore(failed));
        var fleet = fleets(request.Archive);
        var id = DeploymentIds.New(time, random);
        await using var lease = await LeaseAsync(fleet, manifest, manifest.Hosts, LeavingHosts(manifest), $"deploying {manifest.App} {release.Version}", id, stop.Stop);
        var (plan, survey) = await PlanAsync(fleet, request, stop.Stop);
        return await BeginAsync(lease, fleet, id, manifest, request.Source, request.Archive?.Path, plan, survey, stop, ScopeOf(request).Only?.ToList());
    }

    /// <summary>Takes hosts back to what they ran before.</summary>
    /// <exception cref="OperatorException">Refused before anything was touched.</exception>
    public async Task<DeploymentOutcome> RollbackAsync(RollbackRequest request, StopSignal stop)
    {
        var manifest = request.Manifest;
        using var turn = AppLock.Take(state, manifest.App, $"rolling {manifest.App} back", time);
        await RecallAsync(manifest, stop.Stop);
        var fleet = fleets(null);
        var id = DeploymentIds.New(time, random);
        await using var lease = await LeaseAsync(fleet, manifest, manifest.Hosts, [], $"rolling {manifest.App} back", id, stop.Stop);
        var (plan, survey, from) = await PlanBackAsync(request, stop.Stop);
        return await BeginAsync(lease, fleet, id, manifest, request.Source, null, plan, survey, stop, downFrom: from);
    }

    /// <summary>What a rollback would do; touches nothing.</summary>
    /// <exception cref="OperatorException">As <see cref="RollbackAsync"/>.</exception>
    public async Task<Plan> PlanRollbackAsync(RollbackRequest request, CancellationToken cancellation)
    {
        await RecallAsync(request.Manifest, cancellation);
        return (await PlanBackAsync(request, cancellation)).Plan;
    }

    /// <summary>What a repair would do; touches nothing.</summary>
    /// <exception cref="OperatorException">The archive of the release that should run cannot be read.</exception>
    public async Task<RepairProposal> ProposeRepairAsync(DeploymentManifest manifest, CancellationToken cancellation)
        => (await ProposeAsync(manifest, cancellation)).Proposal;

    /// <summary>Makes what is not as it should be so, as far as a plan can.</summary>
    /// <param name="request">What was agreed to.</param>
    /// <param name="stop">Stops it.</param>
    /// <returns>How it ended, and what no plan mends.</returns>
    /// <exception cref="OperatorException">Refused before anything was touched: DEPLOYMENT_RUNS, PLAN_CHANGED.</exception>
    public async Task<(DeploymentOutcome Outcome, IReadOnlyList<Finding> Left)> RepairAsync(RepairRequest request, StopSignal stop)
    {
        var manifest = request.Manifest;
        using var turn = AppLock.Take(state, manifest.App, $"repairing {manifest.App}", time);
        var (_, _, archive) = await ProposeAsync(manifest, stop.Stop);
        var fleet = fleets(archive);
        var id = DeploymentIds.New(time, random);
        // An agent that does not answer is no reason to leave the others as they are.
        await using var lease = await LeaseAsync(fleet, manifest, [], manifest.Hosts, $"repairing {manifest.App}", id, stop.Stop);
        var (proposal, survey, same) = await ProposeAsync(manifest, stop.Stop);
        if (same?.Path != archive?.Path || (request.Agreed is { } agreed && !PlanText.Of(agreed).SequenceEqual(PlanText.Of(proposal.Plan))))
            throw new OperatorException(DeploymentRefusals.PlanChanged(manifest.App));
        return (await BeginAsync(lease, fleet, id, manifest, request.Source, archive?.Path, proposal.Plan, survey, stop), proposal.Left);
    }

    /// <summary>Takes over what the agents know of an app's deployments and this machine does not.</summary>
    /// <param name="manifest">Whose agents.</param>
    /// <param name="cancellation">Gives up.</param>
    public Task<Recollection> RecallAsync(DeploymentManifest manifest, CancellationToken cancellation)
        => new AgentsMemory(fleets(null).Records, journal, time).RecallAsync(manifest, cancellation);

    /// <summary>Goes on with a deployment that was stopped, aborted, interrupted, or left partly rolled back, on this machine or another.</summary>
    /// <param name="id">Which.</param>
    /// <param name="stop">Stops it.</param>
    /// <param name="here">Whose agents are asked for one that this machine does not know; null: there is no manifest here.</param>
    /// <param name="archive">The release's archive, where it is not found where it was; null: it is, or every host has it.</param>
    /// <exception cref="OperatorException">NOT_RESUMABLE, DEPLOYMENT_RUNS, HOST_UNREACHABLE, ARCHIVE_NEEDED or ARCHIVE_MISMATCH.</exception>
    public async Task<DeploymentOutcome> ResumeAsync(DeploymentId id, StopSignal stop, DeploymentManifest? here = null, string? archive = null)
    {
        var (record, manifest) = await KnownAsync(id, here, stop.Stop);
        return await ResumeAsync(record, manifest, stop, r => r, archive);
    }

    /// <summary>Lets the rest follow canaries, which have proved themselves or are trusted by the operator.</summary>
    /// <param name="id">Which deployment.</param>
    /// <param name="stop">Stops it.</param>
    /// <param name="here">As of <see cref="ResumeAsync(DeploymentId, StopSignal, DeploymentManifest?, string?)"/>.</param>
    /// <exception cref="OperatorException">NOT_RESUMABLE: it has no canaries, or is over.</exception>
    public async Task<DeploymentOutcome> PromoteAsync(DeploymentId id, StopSignal stop, DeploymentManifest? here = null)
    {
        var (record, manifest) = await KnownAsync(id, here, stop.Stop);
        return await PromoteAsync(record, manifest, stop);
    }

    /// <summary>Rolls a deployment back that waits, was stopped or interrupted.</summary>
    /// <param name="id">Which deployment.</param>
    /// <param name="stop">Stops it.</param>
    /// <param name="here">As of <see cref="ResumeAsync(DeploymentId, StopSignal, DeploymentManifest?, string?)"/>.</param>
    /// <exception cref="OperatorException">NOT_RESUMABLE: it is over.</exception>
    public async Task<DeploymentOutcome> AbortAsync(DeploymentId id, StopSignal stop, DeploymentManifest? here = null)
    {
        var (record, manifest) = await KnownAsync(id, here, stop.Stop);
        return await AbortAsync(record, manifest, stop);
    }

    /// <summary>The same, its manifest read.</summary>
    internal async Task<DeploymentOutcome> PromoteAsync(DeploymentRecord known, DeploymentManifest manifest, StopSignal stop)
    {
        if (known.Canary is null) throw new OperatorException(DeploymentRefusals.NotResumable($"deployment {known.Id} has no canaries", $"`decant resume {known.Id}` goes on with it"));
        return await ResumeAsync(known, manifest, stop, r => r with { Canary = r.Canary! with { Promoted = true } });
    }

    /// <summary>The same, its manifest read.</summary>
    internal async Task<DeploymentOutcome> AbortAsync(DeploymentRecord known, DeploymentManifest manifest, StopSignal stop)
        => await ResumeAsync(known, manifest, stop, r => r with { RollingBack = true });

    /// <summary>The same, its manifest read.</summary>
    internal Task<DeploymentOutcome> ResumeAsync(DeploymentRecord known, DeploymentManifest manifest, StopSignal stop)
        => ResumeAsync(known, manifest, stop, record => record);

    private async Task<(DeploymentRecord Record, DeploymentManifest Manifest)> KnownAsync(DeploymentId id, DeploymentManifest? here, CancellationToken cancellation)
    {
        // Of one that is known, its own manifest names the hosts that it is for.
        var known = journal.Find(id);
        var asked = known is null ? here : ManifestOf(known);
        var recollection = asked is null ? Recollection.None : await RecallAsync(asked, cancellation);
        var record = journal.Find(id) ?? throw new OperatorException(DeploymentRefusals.Unknown(id, asked, recollection.Problems));
        if (recollection.News.FirstOrDefault(n => n.Deployment == id) is { } news) sink(news);
        return (record, ManifestOf(record));
    }

    private async Task<DeploymentOutcome> ResumeAsync(
        DeploymentRecord known, DeploymentManifest manifest, StopSignal stop, Func<DeploymentRecord, DeploymentRecord> decide, string? archivePath = null)
    {
        var id = known.Id;
        using var turn = AppLock.Take(state, known.App, $"resuming {id}", time);
        var record = journal.Find(id)!;
        if (WhyNotResumable(record) is { } refusal) throw new OperatorException(refusal);
        var archive = archivePath is null ? await ArchiveOfAsync(record, stop.Stop) : await GivenAsync(record, archivePath, stop.Stop);
        var fleet = fleets(archive);
        await using var lease = await LeaseAsync(fleet, manifest, manifest.Hosts, [], $"resuming {known.App} {known.Release?.Version}".TrimEnd(), id, stop.Stop);
        // Another machine may have gone on with it, and come to its end, a moment ago.
        await RecallAsync(manifest, stop.Stop);
        record = journal.Find(id)!;
        if (WhyNotResumable(record) is { } late) throw new OperatorException(late);
        var events = new EventStream(id, time, sink);
        var shared = new SharedRecord(fleet.Records, journal, lease, id, events);
        await shared.ResumeAsync(decide);
        record = journal.Find(id)!;
        var survey = await SurveyAsync(fleet, manifest, [], stop.Stop);
        var steps = journal.StepsOf(id);
        var earlier = EarlierAttempts.Of(steps, manifest, survey);
        var plan = EarlierAttempts.WithoutRepeatedMigration(PlanAgain(record, manifest, survey, time.GetUtcNow()), steps, manifest);
        if (record.DownFrom is { } from && !steps.Any(s => s is { Verb: "migrate-down", End.Succeeded: true })) plan = DownMigration.AddTo(plan, manifest, survey, from);
        if (archive is null && WhoNeedsArchive(record, plan, survey) is { Count: > 0 } lacking) throw new OperatorException(DeploymentRefusals.ArchiveNeeded(record, lacking));
        var cutovers = Cutovers(plan, manifest, survey, record.Cutovers);
        await shared.ResumeAsync(r => r with
        {
            Status = DeploymentStatus.Running,
            Attempt = r.Attempt + 1,
            EndedAt = null,
            Message = "",
            WhatNext = "",
            Holder = ControllerProcess.Current(),
            ArchivePath = archive?.Path ?? r.ArchivePath,
            Cutovers = cutovers,
            Canary = CanariesOf(plan, r.Canary),
        });
        var run = new DeploymentRun(id, record.Attempt + 1, manifest, plan, record.RollingBack, Before(cutovers, manifest, survey), earlier);
        return await new DeploymentExecutor(Parts(fleet, lease, shared, events), run, stop).RunAsync();
    }

    private async Task<DeploymentOutcome> BeginAsync(
        LeaseKeeper lease,
        IFleet fleet,
        DeploymentId id,
        DeploymentManifest manifest,
        ManifestSource source,
        string? archive,
        Plan plan,
        FleetSurvey survey,
        StopSignal stop,
        IReadOnlyList<HostName>? only = null,
        ReleaseId? downFrom = null)
    {
        var cutovers = Cutovers(plan, manifest, survey, []);
        var run = new DeploymentRun(id, 1, manifest, plan, false, Before(cutovers, manifest, survey), []);
        if (plan.IsEmpty) return NothingToDo(run);
        var events = new EventStream(id, time, sink);
        var shared = new SharedRecord(fleet.Records, journal, lease, id, events);
        await shared.BeginAsync(new DeploymentRecord(
            id,
            manifest.App,
            plan.Intent,
            plan.Release,
            source,
            archive,
            string.Join('\n', PlanText.Of(plan)),
            DeploymentStatus.Running,
            1,
            false,
            time.GetUtcNow(),
            null,
            "",
            "",
            ControllerProcess.Current(),
            cutovers,
            only,
            CanariesOf(plan, known: null),
            downFrom));
        return await new DeploymentExecutor(Parts(fleet, lease, shared, events), run, stop).RunAsync();
    }

    private static CanaryProgress? CanariesOf(Plan plan, CanaryProgress? known) => plan.Waves.Select(w => w.Gate).FirstOrDefault(g => g is not null) is { } gate
        ? new CanaryProgress([.. gate.Canaries.Select(c => c.Name)], Promoted: false)
        : known;

    private DeploymentOutcome NothingToDo(DeploymentRun run)
    {
        var accounts = run.Manifest.Hosts.Select(h => new HostAccount(h.Name, run.Before.GetValueOrDefault(h.Name), [])).ToList();
        var outcome = new OutcomeReport(run, DeploymentStatus.NothingToDo, accounts, [], [], null, null, null).Outcome();
        var events = new EventStream(run.Id, time, sink);
        events.Tell((at, id) => new PlanMade(at, id, run.Plan, 1, IsRollback: false));
        events.Tell((at, id) => new DeploymentEnded(at, id, outcome, TimeSpan.Zero));
        return outcome;
    }

    private async Task<(Plan Plan, FleetSurvey Survey)> PlanAsync(IFleet fleet, DeployRequest request, CancellationToken cancellation)
    {
        var manifest = request.Manifest;
        var survey = await SurveyAsync(fleet, manifest, LeavingHosts(manifest), cancellation);
        var scope = ScopeOf(request);
        scope = PutBack.AddTo(scope, request.Release, manifest, survey, LeftByEarlier(manifest, survey));
        return (PlanOf(Planner.MakeDeployment(manifest, survey.Fleet, request.Release, scope)), survey);
    }

    private async Task<(Plan Plan, FleetSurvey Survey, ReleaseId? DownFrom)> PlanBackAsync(RollbackRequest request, CancellationToken cancellation)
    {
        var manifest = request.Manifest;
        var survey = await SurveyAsync(fleets(null), manifest, [], cancellation);
        var last = journal.List(manifest.App, 1) is [var newest] ? newest : null;
        var plan = PlanOf(request.To is null
            ? WayBack.Plan(manifest, survey, last, last is null ? [] : journal.StepsOf(last.Id))
            : Planner.MakeRollback(manifest, survey.Fleet, BackTo(request.To, manifest, survey)));
        if (plan.IsEmpty) throw new OperatorException(DeploymentRefusals.NothingToGoBackTo(manifest.App));
        if (!request.Down) return (plan, survey, null);
        var from = DownMigration.From(plan, manifest, last);
        return (DownMigration.AddTo(plan, manifest, survey, from), survey, from);
    }

    private async Task<(RepairProposal Proposal, FleetSurvey Survey, ArchiveFile? Archive)> ProposeAsync(DeploymentManifest manifest, CancellationToken cancellation)
    {
        var recollection = await RecallAsync(manifest, cancellation);
        // Who does not answer is no reason to leave the others as they are.
        var survey = await FleetSurvey.MakeAsync(fleets(null), manifest, [], cancellation);
        var records = journal.List(manifest.App, KnownDeployments.Depth).Select(recollection.Seen).ToList();
        var known = KnownDeployments.Of(manifest, records, journal.StepsOf);
        var intended = Intended.Of(manifest, survey.Fleet, known);
        var missing = manifest.Hosts
            .Where(h => survey.Fleet.Hosts[h.Name] is HostObservation.Seen seen && intended.On(h.Name) is { } wanted && !seen.Staged.Contains(wanted))
            .Select(h => intended.On(h.Name)!)
            .ToHashSet();
        var source = records.FirstOrDefault(r => r.Release is { } release && missing.Contains(release) && r.ArchivePath is { } path && File.Exists(path));
        var archive = source is null ? null : await ArchiveOfAsync(source, cancellation);
        return (RepairPlanning.Make(manifest, survey.Fleet, known, new RepairSupplies(time.GetUtcNow(), archive?.Release)), survey, archive);
    }

    private DeploymentScope ScopeOf(DeployRequest request)
    {
        var only = request.Only?.ToHashSet();
        if (!request.OnlyFailed) return new DeploymentScope(only, null);
        var failed = journal.List(request.Manifest.App, 1) is [{ } last]
            ? journal.StepsOf(last.Id).Where(s => s.End is { State: StepState.Failed or StepState.Unknown }).SelectMany(s => s.Hosts).ToHashSet()
            : [];
        return new DeploymentScope(only is null ? failed : [.. only.Intersect(failed)], null);
    }

    /// <summary>Hosts of the manifest of the last deployment that are in this one no more.</summary>
    private IReadOnlyList<ManifestHost> LeavingHosts(DeploymentManifest manifest)
        => journal.List(manifest.App, KnownDeployments.Depth).FirstOrDefault(r => r.Intent != PlanIntent.Repair) is { } last && ManifestReader.Read(last.Manifest.Text) is ManifestResult.Valid { Manifest: var before }
            ? [.. before.Hosts.Where(b => manifest.Hosts.All(h => h.Name != b.Name))]
            : [];

    private static async Task<FleetSurvey> SurveyAsync(
        IFleet fleet, DeploymentManifest manifest, IReadOnlyList<ManifestHost> leaving, CancellationToken cancellation)
    {
        var survey = await FleetSurvey.MakeAsync(fleet, manifest, leaving, cancellation);
        return survey.Problems(manifest) is { Count: > 0 } problems ? throw new OperatorException(DeploymentRefusals.Joined(problems)) : survey;
    }

    private static DeploymentManifest ManifestOf(DeploymentRecord record) => ManifestReader.Read(record.Manifest.Text) switch
    {
        ManifestResult.Valid valid => valid.Manifest,
        ManifestResult.Invalid invalid => throw new OperatorException(invalid.ToOperatorError(record.Manifest.Path)),
        var other => throw new InvalidOperationException($"manifest result {other} is not known"),
    };

    /// <summary>
    /// What deployments have touched, of all since the last one that brought every host to its end: one that was stopped may have meant to see to
    /// what the one before had left.
    /// </summary>
    private IReadOnlyList<TouchedEarlier> LeftByEarlier(DeploymentManifest manifest, FleetSurvey survey)
    {
        var records = journal.List(manifest.App, KnownDeployments.Depth);
        var whole = records.ToList().FindIndex(r => r is { Intent: PlanIntent.Deploy, Status: DeploymentStatus.Succeeded, Only: null });
        var since = whole < 0 ? records : records.Take(whole + 1);
        return EarlierAttempts.Of([.. since.Reverse().SelectMany(r => journal.StepsOf(r.Id))], manifest, survey);
    }

    private Plan PlanAgain(DeploymentRecord record, DeploymentManifest manifest, FleetSurvey survey, DateTimeOffset now)
    {
        if (record.RollingBack) return new Plan(manifest.App, record.Intent, record.Release, [], [], [], []);
        return record.Intent switch
        {
            PlanIntent.Deploy => PlanOf(Planner.MakeDeployment(manifest, survey.Fleet, record.Release!, PutBack.AddTo(record.Scope, record.Release!, manifest, survey, LeftByEarlier(manifest, survey)))),
            PlanIntent.Repair => RepairAgain(record, manifest, survey, now),
            _ => PlanOf(WayBack.Finish(manifest, survey, record)),
        };
    }

    private static Plan RepairAgain(DeploymentRecord record, DeploymentManifest manifest, FleetSurvey survey, DateTimeOffset now)
    {
        var meant = new KnownDeployment(record.Id, record.Cutovers.Where(c => c.To is not null).ToDictionary(c => c.Host, c => c.To!), IsCertain: true);
        return RepairPlanning.Make(
            manifest, survey.Fleet, meant, new RepairSupplies(now, record.ArchivePath is null ? null : record.Release, record.Cutovers.Select(c => c.Host).ToHashSet())).Plan;
    }

    private static List<HostRollback> BackTo(ReleaseVersion version, DeploymentManifest manifest, FleetSurvey survey)
    {
        var back = new List<HostRollback>();
        foreach (var host in manifest.Hosts)
        {
            var staged = ((HostObservation.Seen)survey.Fleet.Hosts[host.Name]).Staged.Where(r => r.Version == version).ToList();
            if (staged.Count != 1) throw new OperatorException(DeploymentRefusals.NotOneRelease(host.Name, version, staged.Count));
            if (survey.ServingOn(manifest, host.Name, staged[0]) is not { Healthy: true } running || running.Release != staged[0])
                back.Add(new HostRollback(host.Name, staged[0], $"goes back to {version}"));
        }

        // Those that serve nothing first: they take no capacity away.
        return [.. back.OrderBy(b => survey.ServingOn(manifest, b.Host, b.To) is { Healthy: true })];
    }

    private static List<PlannedCutover> Cutovers(Plan plan, DeploymentManifest manifest, FleetSurvey survey, IReadOnlyList<PlannedCutover> known)
        => [.. known, .. plan.Waves.SelectMany(w => w.Hosts)
            .DistinctBy(h => h.Host)
            .Where(h => known.All(k => k.Host != h.Host))
            .Select(h => (Cutover: h, Serves: survey.ServingOn(manifest, h.Host, h.To)))
            .Select(h => new PlannedCutover(h.Cutover.Host, h.Serves?.Release, h.Cutover.To, h.Serves?.Slot))];

    /// <summary>What each host ran, those included that are no part of the plan: the report says what they serve.</summary>
    private static Dictionary<HostName, PlannedCutover> Before(IReadOnlyList<PlannedCutover> cutovers, DeploymentManifest manifest, FleetSurvey survey)
        => cutovers.Concat(manifest.Hosts
            .Where(h => cutovers.All(c => c.Host != h.Name))
            .Select(h => survey.ServingOn(manifest, h.Name, null) is { Healthy: true } serves
                ? new PlannedCutover(h.Name, serves.Release, serves.Release, serves.Slot)
                : new PlannedCutover(h.Name, null, null, null)))
            .ToDictionary(c => c.Host);

    private static Plan PlanOf(PlanResult result) => result switch
    {
        PlanResult.Made made => made.Plan,
        PlanResult.Partial partial => throw new OperatorException(DeploymentRefusals.Joined([.. partial.Refusals.Select(r => r.Error)])),
        PlanResult.Refused refused => throw new OperatorException(DeploymentRefusals.Joined([.. refused.Refusals.Select(r => r.Error)])),
        _ => throw new InvalidOperationException($"plan result {result} is not known"),
    };

    // The archive may have been removed since, or be on another machine: that matters only when a host lacks the release.
    private static async Task<ArchiveFile?> ArchiveOfAsync(DeploymentRecord record, CancellationToken cancellation)
    {
        if (record.ArchivePath is null || !File.Exists(record.ArchivePath)) return null;
        var archive = await ArchiveFile.ReadAsync(record.ArchivePath, cancellation);
        return archive.Release == record.Release ? archive : null;
    }

    private static async Task<ArchiveFile> GivenAsync(DeploymentRecord record, string path, CancellationToken cancellation)
    {
        var archive = await ArchiveFile.ReadAsync(path, cancellation);
        return archive.Release == record.Release ? archive : throw new OperatorException(DeploymentRefusals.ArchiveMismatch(record, archive));
    }

    /// <summary>Hosts that lack the release, which was to come from an archive.</summary>
    private static List<HostName> WhoNeedsArchive(DeploymentRecord record, Plan plan, FleetSurvey survey) => record.ArchivePath is null ? [] :
    [
        .. plan.Preparation.SelectMany(p => p.Steps).OfType<StageStep>()
            .Where(s => survey.Fleet.Hosts[s.Host] is HostObservation.Seen seen && !seen.Staged.Contains(s.Release))
            .Select(s => s.Host),
    ];

    private ExecutorParts Parts(IFleet fleet, LeaseKeeper lease, SharedRecord shared, EventStream events) => new(fleet, journal, time, options, events, lease, shared);

    /// <summary>Takes the app's lease on every host of the manifest, before anything is looked at: what is planned then stays true.</summary>
    private async Task<LeaseKeeper> LeaseAsync(
        IFleet fleet,
        DeploymentManifest manifest,
        IReadOnlyList<ManifestHost> needed,
        IReadOnlyList<ManifestHost> ifThere,
        string purpose,
        DeploymentId id,
        CancellationToken cancellation)
    {
        try
        {
            return await LeaseKeeper.TakeAsync(
                fleet.Leases,
                LeaseHolding.Wanted(manifest.App, purpose, id, "looking at the hosts", options.Lease),
                LeaseHolding.AgentsOf(manifest, needed),
                LeaseHolding.AgentsOf(manifest, ifThere),
                LeaseHolding.IsDead,
                options.Lease,
                (agent, why) => sink(new LeaseAwaited(time.GetUtcNow(), id, agent, why)),
                time,
                cancellation);
        }
        catch (OperatorException exception) when (exception.Error.Code == StatusCode.Unavailable)
        {
            // Which names everybody who does not answer.
            await SurveyAsync(fleet, manifest, [], cancellation);
            throw;
        }
    }

    private OperatorError? WhyNotResumable(DeploymentRecord record)
    {
        if (!record.IsUnfinished)
        {
            var where = record.Holder.IsHere ? "" : $"; {record.Holder.Name} went on with it and ended it, in attempt {record.Attempt}";
            return DeploymentRefusals.NotResumable($"deployment {record.Id} is over: {record.Status}{where}", $"`decant show {record.Id}` tells how; deploy again instead");
        }

        return journal.List(record.App, 1)[0].Id is var last && last != record.Id
            ? DeploymentRefusals.NotResumable($"{record.App} was changed since by deployment {last}", "deploy again instead: it takes up what is missing")
            : null;
    }
}
