using Decant.Agent.Configuration;
using Decant.Agent.Security;
using Decant.Names;

namespace Decant.Agent.Tests.Security;

public class LocalAccessTests
{
    private const uint SocketGroup = 900;

    private static readonly AccessSettings Granted = new()
    {
        Users = new Dictionary<string, IReadOnlyList<RoleName>> { ["alice"] = [new RoleName.Observer()], ["1002"] = Deployer("shop") },
        Groups = new Dictionary<string, IReadOnlyList<RoleName>> { ["ops"] = Deployer("blog"), ["901"] = [new RoleName.Admin()], ["shops"] = Deployer("shop") },
    };

    [TestCase(0u, "root", new uint[0], "admin")]
    [TestCase(1001u, "alice", new uint[] { 901 }, "observer", Description = "a user's own roles count, not those of its groups")]
    [TestCase(1002u, null, new uint[] { 7 }, "deployer:shop")]
    [TestCase(1003u, "carol", new uint[] { 7, 902, 903 }, "deployer:blog, deployer:shop")]
    [TestCase(1003u, "carol", new uint[] { 901, 902 }, "admin")]
    [TestCase(1003u, "carol", new[] { SocketGroup }, "no role", Description = "groups of agent.yml stand in place of the socket's")]
    [TestCase(1003u, "carol", new uint[0], "no role")]
    public void Users_and_groups_have_what_the_host_grants_them(uint user, string? name, uint[] groups, string rights)
        => Assert.That($"{LocalAccess.RightsOf(new PeerCredentials(user, groups), name, SocketGroup, GroupName, Granted)}", Is.EqualTo(rights));

    [Test]
    public void Unless_agent_yml_says_otherwise_the_sockets_group_is_admin_and_nobody_else()
    {
        var access = new AccessSettings();

        Assert.Multiple(() =>
        {
            Assert.That($"{LocalAccess.RightsOf(new PeerCredentials(1003, [7, SocketGroup]), "carol", SocketGroup, GroupName, access)}", Is.EqualTo("admin"));
            Assert.That($"{LocalAccess.RightsOf(new PeerCredentials(1003, [7]), "carol", SocketGroup, GroupName, access)}", Is.EqualTo("no role"));
            Assert.That($"{LocalAccess.RightsOf(new PeerCredentials(1003, [7]), "carol", null, GroupName, access)}", Is.EqualTo("no role"));
            Assert.That($"{LocalAccess.RightsOf(new PeerCredentials(PeerCredentials.OwnUser, []), "decant", null, GroupName, access)}", Is.EqualTo("admin"));
        });
    }

    [Test]
    public void The_kernel_and_the_host_know_who_this_process_is()
    {
        Assert.That(Accounts.UserName(0), Is.EqualTo("root"));
        Assert.That(Accounts.GroupName(0), Is.EqualTo("root"));
        Assert.That(Accounts.UserName(3_999_999_999), Is.Null);
    }

    private static string? GroupName(uint group) => group switch { 902 => "ops", 903 => "shops", _ => null };

    private static RoleName[] Deployer(string app) => [new RoleName.Deployer(AppName.Parse(app))];
}
