using Decant.Agent.Api;
using Decant.Agent.Audit;
using Decant.Agent.Balancers;
using Decant.Agent.Configuration;
using Decant.Agent.Deployments;
using Decant.Agent.Elixir;
using Decant.Agent.Health;
using Decant.Agent.Hosting;
using Decant.Agent.Instances;
using Decant.Agent.Leases;
using Decant.Agent.Operations;
using Decant.Agent.Proxy;
using Decant.Agent.Releases;
using Decant.Agent.Security;
using Decant.Agent.State;
using Decant.Agent.Supervision;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Serilog;

// The keeper of an instance is this program in another mode: small, without a server.
if (args is [InstanceKeeper.Mode, ..]) return await InstanceKeeper.RunAsync();
// So is what the app's units under systemd run.
if (args is [UnitProgram.AppMode, var slot]) return UnitProgram.RunApp(slot);
if (args is [UnitProgram.TaskMode, var task]) return await UnitProgram.RunTaskAsync(task);
if (args is [AppSecrets.Mode, var instance])
    return Read(AgentConfiguration.DefaultFile) is { } ofHost ? AppSecrets.Write(ofHost, instance, Console.Error) : 2;

switch (AgentArguments.Parse(args))
{
    case AgentArguments.ShowHelp:
        Console.WriteLine(AgentArguments.Usage);
        return 0;
    case AgentArguments.ShowVersion:
        Console.WriteLine($"decantd {AgentIdentity.Version}");
        return 0;
    case AgentArguments.Wrong wrong:
        Console.Error.WriteLine($"decantd: {wrong.Reason}\n\n{AgentArguments.Usage}");
        return 2;
    case AgentArguments.CheckConfiguration check:
        return Read(check.ConfigurationFile) is null ? 2 : 0;
    case AgentArguments.AcceptRebuiltState accept when Read(accept.ConfigurationFile) is { } configuration:
        return Accept(configuration);
    case AgentArguments.Run run when Read(run.ConfigurationFile) is { } configuration:
        return await RunAsync(configuration);
    case AgentArguments.Join join when Read(join.ConfigurationFile) is { } configuration:
        return await JoinProgram.RunAsync(configuration, join.Token);
    case AgentArguments.RunProxy proxy when Read(proxy.ConfigurationFile) is { } configuration:
        return await ProxyProgram.RunAsync(configuration);
    default:
        return 2;
}

static AgentConfiguration? Read(string file)
{
    var result = AgentConfigurationReader.ReadFile(file);
    foreach (var problem in result.Problems) Console.Error.WriteLine($"decantd: {problem}");
    foreach (var warning in result.Warnings) Console.Error.WriteLine($"decantd: warning: {warning}");
    return result.Configuration;
}

static int Accept(AgentConfiguration configuration)
{
    using var ownership = DataDirectoryLock.TryTake(configuration.DataDirectory, out var refusal);
    if (refusal is null) return RebuiltState.Accept(configuration, TimeProvider.System, Console.Out);
    Console.Error.WriteLine($"decantd: {refusal}");
    return 1;
}

static async Task<int> RunAsync(AgentConfiguration configuration)
{
    if (SupervisorChoice.WhyNot(configuration) is { } reason)
    {
        Console.Error.WriteLine($"decantd: {reason}");
        return 2;
    }

    configuration = SupervisorChoice.Of(configuration);
    using var ownership = DataDirectoryLock.TryTake(configuration.DataDirectory, out var refusal);
    if (refusal is null && configuration.Listen.Unix is { } socket) refusal = UnixListener.MakeRoom(socket);
    if (refusal is not null)
    {
        Console.Error.WriteLine($"decantd: {refusal}");
        return 1;
    }

    await using var log = AgentLogging.Create(configuration.Logging, configuration.Host);
    var builder = WebApplication.CreateSlimBuilder();
    builder.Host.UseSerilog(log);
    builder.WebHost.ConfigureKestrel(kestrel =>
    {
        AgentListeners.Open(
            kestrel,
            configuration.Listen,
            kestrel.ApplicationServices.GetRequiredService<HostTls>(),
            kestrel.ApplicationServices.GetRequiredService<Enrolment>(),
            kestrel.ApplicationServices.GetRequiredService<Callers>());
    });

    var services = builder.Services;
    services.AddSystemdNotifications();
    // Operations are interrupted and streams told at once; what does not end then is cut off.
    services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
    services.AddSingleton(TimeProvider.System);
    services.AddSingleton(configuration);
    services.AddSingleton(new AgentIdentity(configuration.Host, TimeProvider.System.GetUtcNow()));

    services.AddSingleton(provider => new HostTls(configuration.Listen, TimeProvider.System, provider.GetRequiredService<ILogger<HostTls>>()));
    services.AddSingleton<OwnCertificate>();
    services.AddSingleton<Enrolment>();
    services.AddSingleton<Renewal>();
    services.AddSingleton<Callers>();

    services.AddSingleton(provider => new AuditLog(Path.Combine(configuration.DataDirectory, "audit"), provider.GetRequiredService<ILogger<AuditLog>>()));
    services.AddSingleton<AuditedCalls>();

    services.AddSingleton(_ => AgentDatabase.Open(Path.Combine(configuration.DataDirectory, "agent.db")));
    services.AddSingleton(provider => new OperationJournal(provider.GetRequiredService<AgentDatabase>(), configuration.Journal.KeepOperations));
    services.AddSingleton<LeaseStore>();
    services.AddSingleton(provider => provider.GetRequiredService<LeaseStore>().Open(TimeProvider.System));
    services.AddSingleton<DeploymentStore>();
    services.AddSingleton<OperationRunner>();
    services.AddSingleton<EarlierOperations>();
    services.AddSingleton<OperationCalls>();
    services.AddSingleton<OperationFollowers>();
    services.AddSingleton<LogFollowers>();
    services.AddSingleton<HostBalancers>();

    services.AddSingleton(configuration.Limits);
    services.AddSingleton(DiskSpace.Real(configuration.Limits));
    services.AddSingleton(new ReleaseDirectories(configuration.DataDirectory));
    services.AddSingleton<ReleaseUploads>();
    services.AddSingleton<ReleaseStore>();

    services.AddSingleton(new AppDirectories(configuration.DataDirectory, SupervisorChoice.HomesOf(configuration)));
    services.AddSingleton<Cookies>();
    services.AddSingleton<SlotEnvironment>();
    services.AddSingleton<ReleaseScript>();
    services.AddSingleton<Epmd>();
    services.AddSingleton<SharedLibraries>();
    services.AddSingleton<Preflight>();
    services.AddSingleton<Migrations>();

    services.AddSingleton(KeeperProgram.OfThisProcess());
    services.AddSingleton<ProcessSupervisor>();
    if (configuration.Supervisor == SupervisorKind.Systemd)
    {
        services.AddSingleton(_ => new SystemdBus(SystemdBus.OfThisHost));
        services.AddSingleton<ISupervisor>(provider => new SystemdSupervisor(
            provider.GetRequiredService<SystemdBus>(),
            provider.GetRequiredService<SlotEnvironment>(),
            provider.GetRequiredService<AppDirectories>(),
            provider.GetRequiredService<ProcessSupervisor>(),
            configuration.DataDirectory,
            TimeProvider.System,
            provider.GetRequiredService<ILogger<SystemdSupervisor>>()));
    }
    else
    {
        services.AddSingleton<ISupervisor>(provider => provider.GetRequiredService<ProcessSupervisor>());
    }

    services.AddSingleton(configuration.Restart);
    services.AddSingleton<CrashDumps>();
    services.AddSingleton<InstanceStore>();
    services.AddSingleton<IReleaseUse, ReleaseUse>();
    services.AddSingleton<InstanceParts>();
    services.AddSingleton<InstanceRegistry>();
    services.AddSingleton<HealthProber>();
    services.AddSingleton<RunningVerification>();
    services.AddSingleton<HealthWait>();
    services.AddSingleton(provider => HostTruth.Of(
        provider.GetRequiredService<ReleaseStore>(), provider.GetRequiredService<InstanceRegistry>(), provider.GetRequiredService<Migrations>()));
    services.AddHostedService<AgentLifetime>();

    services.AddSingleton<AgentCheckStore>();
    services.AddSingleton(provider =>
    {
        var instances = provider.GetRequiredService<InstanceRegistry>();
        return new AgentCheckDesk(
            provider.GetRequiredService<AgentCheckStore>(), () => CheckedSlot.Of(instances), configuration.AgentCheck?.From ?? [], TimeProvider.System);
    });
    if (configuration.AgentCheck is { } agentCheck)
    {
        services.AddSingleton(agentCheck);
        services.AddHostedService<AgentCheckListener>();
    }

    services.AddGrpc(grpc =>
    {
        grpc.Interceptors.Add<ErrorInterceptor>();
        grpc.Interceptors.Add<AccessInterceptor>();
        grpc.Interceptors.Add<AuditInterceptor>();
        grpc.MaxReceiveMessageSize = 4 << 20;
    });
    services.AddSingleton<JournalHealth>();
    services.AddGrpcHealthChecks().Add(new HealthCheckRegistration(
        "journal", provider => provider.GetRequiredService<JournalHealth>(), failureStatus: null, tags: null));
    services.AddGrpcReflection();

    await using var app = builder.Build();
    if (app.Services.GetRequiredService<HostTls>().Load() is { } unreachable)
    {
        Console.Error.WriteLine($"decantd: {unreachable}");
        return 1;
    }

    app.Use(next => new UnreadableMessages(
        next, app.Services.GetRequiredService<AgentIdentity>(), app.Services.GetRequiredService<ILogger<UnreadableMessages>>()).InvokeAsync);
    app.MapGrpcService<OperationsService>();
    app.MapGrpcService<BalancersService>();
    app.MapGrpcService<ReleasesService>();
    app.MapGrpcService<InstancesService>();
    app.MapGrpcService<HostsService>();
    app.MapGrpcService<LeasesService>();
    app.MapGrpcService<DeploymentsService>();
    app.MapGrpcService<CertificatesService>();
    app.MapGrpcService<EnrolmentService>();
    app.MapGrpcService<AuditsService>();
    app.MapGrpcHealthChecksService();
    app.MapGrpcReflectionService();
    try
    {
        await app.RunAsync();
        return 0;
    }
    catch (IOException exception) when (exception.InnerException is AddressInUseException)
    {
        Console.Error.WriteLine($"decantd: cannot listen: {exception.Message}; another agent may run here, or listen.tcp in agent.yml is taken");
        return 1;
    }
    catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or System.Net.Sockets.SocketException or LiteDB.LiteException)
    {
        Console.Error.WriteLine($"decantd: cannot start: {exception.Message}; data_dir is {configuration.DataDirectory}");
        return 1;
    }
}
