namespace Decant.EndToEnd.Harness;

/// <summary>
/// A network of a test's own: namespaces (ip-netns(8)) with cables between them (veth(4)). Agents listen on no address but those of loopback, so
/// the cables have such addresses, each namespace keeps only 127.0.0.1 to itself, and route_localnet lets the rest of 127.0.0.0/8 through
/// (ip-sysctl). Needs root.
/// </summary>
internal sealed class Network : IAsyncDisposable
{
    private readonly string id = Convert.ToHexStringLower(System.Security.Cryptography.RandomNumberGenerator.GetBytes(3));
    private readonly List<string> spaces = [];
    private int cables;

    /// <summary>A namespace, with nothing but 127.0.0.1 in it.</summary>
    /// <returns>Its name for ip(8).</returns>
    public async Task<string> AddAsync(string name)
    {
        var space = $"decant-{id}-{name}";
        await RunAsync($"""
            ip netns add {space}
            ip -n {space} link set lo up
            ip -n {space} addr del 127.0.0.1/8 dev lo
            ip -n {space} addr add 127.0.0.1/32 dev lo
            nsenter --net=/run/netns/{space} sysctl -qw net.ipv4.conf.all.route_localnet=1
            """);
        spaces.Add(space);
        return space;
    }

    /// <summary>A cable from one namespace to another.</summary>
    /// <param name="near">Its one end.</param>
    /// <param name="far">Its other end; null: the tests' own namespace.</param>
    /// <param name="net">The first three numbers of both addresses: the near end has .1, the far end .2.</param>
    public async Task<Cable> ConnectAsync(string near, string? far, string net)
    {
        var number = ++cables;
        var (nearEnd, farEnd) = (
            new CableEnd(near, $"dc{id}{number}a", $"{net}.1", $"02:dc:00:00:{number:x2}:01"), new CableEnd(far, $"dc{id}{number}b", $"{net}.2", $"02:dc:00:00:{number:x2}:02"));
        await RunAsync($"""
            ip -n {near} link add {nearEnd.Device} address {nearEnd.Mac} type veth peer name {farEnd.Device} address {farEnd.Mac} {(far is null ? $"netns {Environment.ProcessId}" : $"netns {far}")}
            {string.Join('\n', new[] { nearEnd, farEnd }.Select(e => $"{e.Ip} addr add {e.Address}/30 dev {e.Device}\n{e.Ip} link set {e.Device} up"))}
            """);
        return new Cable(nearEnd, farEnd);
    }

    /// <summary>Runs lines of a shell; each must succeed.</summary>
    public static async Task RunAsync(string lines)
    {
        var done = await CommandResult.RunAsync("/bin/bash", ["-ec", lines], CancellationToken.None);
        if (done.ExitCode != 0)
            throw new TestException($"this test makes network namespaces, for which it needs root, CAP_NET_ADMIN and iproute2: {done.Errors}\n{lines}");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var space in spaces) await RunAsync($"ip netns del {space}");
    }
}

/// <summary>One end of a cable.</summary>
/// <param name="Space">Its namespace; null: the tests' own.</param>
/// <param name="Device">Its device.</param>
/// <param name="Address">Its IP address.</param>
/// <param name="Mac">Its Ethernet address.</param>
internal sealed record CableEnd(string? Space, string Device, string Address, string Mac)
{
    /// <summary>ip(8) there.</summary>
    public string Ip => Space is null ? "ip" : $"ip -n {Space}";
}

/// <summary>A cable that can be cut and mended.</summary>
/// <param name="Near">Its one end.</param>
/// <param name="Far">Its other end.</param>
internal sealed record Cable(CableEnd Near, CableEnd Far)
{
    /// <summary>Pulls it out at the far end: nothing comes through, and nobody is told (no RST, no FIN).</summary>
    public Task CutAsync() => Network.RunAsync($"{Far.Ip} link set {Far.Device} down");

    /// <summary>Puts it in again.</summary>
    public Task MendAsync() => Network.RunAsync($"{Far.Ip} link set {Far.Device} up");

    /// <summary>
    /// What the near end sends is lost, and what the far end sends arrives: the near end addresses its frames to nobody (ip-neighbour(8)). The
    /// devices stay up.
    /// </summary>
    public Task LoseForthAsync() => LoseAsync(Near, Far, "02:dc:ff:ff:ff:ff");

    /// <summary>The other way round.</summary>
    public Task LoseBackAsync() => LoseAsync(Far, Near, "02:dc:ff:ff:ff:ff");

    /// <summary>Ends both kinds of loss.</summary>
    public async Task FindAsync()
    {
        await LoseAsync(Near, Far, Far.Mac);
        await LoseAsync(Far, Near, Near.Mac);
    }

    private static Task LoseAsync(CableEnd from, CableEnd to, string mac)
        => Network.RunAsync($"{from.Ip} neigh replace {to.Address} lladdr {mac} nud permanent dev {from.Device}");
}
